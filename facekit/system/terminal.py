"""What facekit says to its user beside its answer: lines, and a progress bar."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_LOGGER: Final = logging.getLogger("facekit")


def tell(text: str) -> None:
    """Say something to the user: what was left out, who is waited for.

    It is a warning of the logger ``facekit``. The command line shows it on standard
    error as it is; in Python it goes where the program's logging sends it, and to
    standard error where none is set up.

    Args:
        text: One line, or a small table of several.
    """
    _LOGGER.warning("%s", printable(text))


def printable(text: str) -> str:
    r"""Text that any terminal can show.

    Control characters (but line breaks and tabs), marks that turn the direction of
    writing, and bytes of a file name that are no text are escaped.

    Example:
        >>> printable("red: \x1b[31m")
        'red: \\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


class _Plain(logging.Handler):
    """Messages as they are, on whatever standard error is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{record.getMessage()}\n")


def open_streams() -> None:
    """Make the standard streams of a command fit for any text, and for none at all.

    What a stream's encoding lacks (cp1252 of a Windows pipe, the C locale) is written
    as an escape. A closed stream is opened on the null device: nobody reads it, and no
    file of ours may get its number, because libraries write there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):  # tests put others in their place
            stream.reconfigure(errors="backslashreplace")


def show_messages() -> None:
    """Show what is told on standard error, once each, whatever a library sets up."""
    if not any(isinstance(handler, _Plain) for handler in _LOGGER.handlers):
        _LOGGER.addHandler(_Plain())
    _LOGGER.propagate = False


@contextmanager
def progress_bar(
    title: str, total: int, *, done: int = 0, show: bool = True
) -> Iterator[Callable[[int, int], None]]:
    """Show a bar while the block runs; nothing where standard error is no terminal.

    Args:
        title: What is being done.
        total: How many there are.
        done: How many are done before the block starts.
        show: False for no bar at all.

    Yields:
        A function of (done, all) that moves the bar.
    """
    if not show:
        yield lambda done, every: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    rate = TextColumn("{task.fields[rate]}")
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        rate,
        TimeLeft(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=total, completed=done, rate="")

        def move(done: int, every: int) -> None:
            speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
            rate = f"{speed:,.0f}/s" if speed else ""
            bar.update(task, completed=done, total=every, rate=rate)

        yield move


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Throw away what is written to descriptor 2, by C++ too.

    TensorFlow's C++ part writes notices there whatever its log level says.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
