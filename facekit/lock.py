"""One process at a time in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["locked"]


@contextmanager
def locked(path: Path, waiting: str = "") -> Iterator[None]:
    """Hold a lock file; the system frees it when a process dies.

    Args:
        path: The lock file; its folder exists.
        waiting: Said on standard error when another process holds it.

    Raises:
        OSError: The lock file cannot be made.
    """
    import filelock

    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        if waiting:
            from rich.console import Console

            Console(stderr=True).print(waiting)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
