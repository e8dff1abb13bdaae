"""Run one ``facekit`` command in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

__all__ = ["run_facekit"]


def run_facekit(arguments: Sequence[str]) -> str:
    """Run the command and pass what it says on to standard error.

    A process of its own: what one run leaves in memory cannot touch the next, one
    that is killed takes no other along, and its bundle names the very command.

    Args:
        arguments: What follows ``facekit``.

    Returns:
        Empty when it ended well, else why not, in one line.

    Raises:
        KeyboardInterrupt: The user stopped it, or this process.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "facekit", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    last = ""
    try:
        assert process.stdout is not None
        with _ended_by_sigterm(), process.stdout as lines:
            for line in lines:
                sys.stderr.write(line)
                last = line.strip() or last
        code = process.wait()
    except BaseException:
        process.terminate()  # checkpoints appear whole or not at all
        process.wait()
        raise
    if code in (130, -signal.SIGINT):
        raise KeyboardInterrupt
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return "" if code == 0 else last.removeprefix("facekit: ") or f"ended with code {code}"


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM raise, so that a sweep that is ended ends its run, too."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears of signals
        return

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
