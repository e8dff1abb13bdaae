"""One process at a time in a folder."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from facekit.system.terminal import tell

if TYPE_CHECKING:
    import filelock


#: Seconds that `exclusive` tries: `is_held` of another process holds a lock for a
#: moment, too.
_TRIED: Final = 0.5


@contextmanager
def locked(path: Path, waiting: str = "") -> Iterator[None]:
    """Hold a lock file; the system frees it when a process dies.

    Where the file system knows no locks, nothing is barred.

    Args:
        path: The lock file; its folder exists.
        waiting: Said on standard error when another process holds it.

    Raises:
        OSError: The lock file cannot be made.
    """
    import filelock

    lock = filelock.FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        if waiting:
            tell(waiting)
        lock.acquire()
    except OSError as error:
        _require_missing(error)
    try:
        yield
    finally:
        lock.release()  # nothing where it is not held


@contextmanager
def exclusive(path: Path, *, seconds: float = _TRIED) -> Iterator[None]:
    """Hold a lock file or fail; it is gone afterwards.

    The system frees it when a process dies; the file that such a process leaves
    behind bars nobody. Where the file system knows no locks, nothing is barred.

    Args:
        path: The lock file; its folder exists.
        seconds: How long to try.

    Raises:
        BlockingIOError: Another process holds it.
        OSError: The lock file cannot be made.
    """
    lock = _acquire(path, seconds)
    try:
        yield
    finally:
        if lock is not None:
            with suppress(OSError):  # Windows keeps the name of an open file
                path.unlink()  # before it is released: after that it may be another's
            lock.release()


def is_held(path: Path) -> bool:
    """Whether a process, this one too, holds a lock file; a missing one is held by nobody."""
    if not path.exists():
        return False
    try:
        with exclusive(path, seconds=0):
            return False
    except BlockingIOError:
        return True


def _acquire(path: Path, seconds: float) -> filelock.BaseFileLock | None:
    """The lock, None where the file system has none."""
    import filelock

    # A soft lock would outlive a process that is killed.
    lock = filelock.FileLock(path, fallback_to_soft=False)
    while True:
        try:
            lock.acquire(timeout=seconds, poll_interval=0.05)
        except filelock.Timeout:
            text = "is held by another process"
            raise BlockingIOError(errno.EAGAIN, text, str(path)) from None
        except OSError as error:
            _require_missing(error)
            return None
        if path.exists():
            return lock
        lock.release()  # its last holder removed the file after we had opened it


def _require_missing(error: OSError) -> None:
    """Raise again what is not a file system without locks."""
    if error.errno != errno.ENOSYS:
        raise error
