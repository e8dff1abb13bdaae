"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import platform
import re
import shutil
import stat
import sys
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from facekit.errors import DataError
from facekit.system.terminal import tell

if TYPE_CHECKING:
    import filelock

#: What is taken for a picture by its name; without pillow-heif the error of a HEIC
#: file says what to install.
PICTURE_SUFFIXES: Final = frozenset(
    (".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg")
    + (".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp")
)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file under a temporary name in the same folder, then rename it.

    Args:
        path: Target; its folder exists.
        content: Text (written as UTF-8; what cannot be, such as a file name that is
            none, is escaped as in JSON) or bytes.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    with _part(path) as part:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)


def write_new(path: Path, data: bytes) -> bool:
    """Write a file whole and under a name that nothing has.

    Args:
        path: Target; its folder exists.
        data: All of it.

    Returns:
        False where something has that name; it is left as it is.
    """
    with _part(path) as part:
        part.write_bytes(data)
        try:
            os.link(part, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            if os.path.lexists(path):
                return False
            os.replace(part, path)
    return True


def write_output(path: Path, text: str) -> None:
    """Write what the user asked for where he asked for it; see ``output_stream``."""
    with output_stream(path) as stream:
        stream.write(text)


#: Names of files that are no text keep their bytes.
_AS_TEXT: Final[Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": "\n"}


def _is_stdout(path: Path) -> bool:
    """Whether a path, such as /dev/stdout, names what standard output is."""
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except OSError:
        return False


@contextmanager
def output_stream(path: Path) -> Iterator[IO[str]]:
    """Open a text file (UTF-8) that the user named for an answer.

    A regular file appears under its name when the block has ended without an error,
    until then the older one stays. Behind a link it is the file that the link names.
    A pipe or a device is written as it is, and ``-`` is standard output.

    Args:
        path: The file; its folder exists.

    Yields:
        The stream.

    Raises:
        OSError: It cannot be written.
    """
    if str(path) == "-" or _is_stdout(path):
        yield sys.stdout
        sys.stdout.flush()
        return
    target = Path(os.path.realpath(path))
    if target.is_symlink():  # the links lead in a circle
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    if target.exists() and not target.is_file():
        with path.open("w", **_AS_TEXT) as stream:
            yield stream
        return
    sweep_drafts(target.parent)
    with _part(target) as part:
        with part.open("w", **_AS_TEXT) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, target)


#: Drafts have hidden names that say who writes them: this host and this process.
_DRAFT: Final = re.compile(r"\.(?:(?P<name>.+)\.)?(?P<host>\w{8})-(?P<pid>\d+)-\w{6}\.(part|old)")


def _own_name(name: str = "") -> str:
    host = zlib.crc32(platform.node().encode())
    return f".{name}{'.' if name else ''}{host:08x}-{os.getpid()}-{uuid.uuid4().hex[:6]}.part"


def sweep_drafts(folder: Path) -> None:
    """Remove what processes of this machine that are gone have left unfinished.

    A folder that had stepped aside for its successor gets its name back where the
    successor never came.

    Args:
        folder: Where drafts may lie; what is further down is not looked at.
    """
    if os.name != "posix":  # elsewhere nothing harmless tells whether a process lives
        return
    here = f"{zlib.crc32(platform.node().encode()):08x}"
    for path in folder.glob(".*"):
        found = _DRAFT.fullmatch(path.name)
        if found is None or found["host"] != here or _lives(int(found["pid"])):
            continue
        if path.suffix == ".old" and found["name"] and not (folder / found["name"]).exists():
            path.rename(folder / found["name"])
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        pass
    return True


@contextmanager
def _part(path: Path) -> Iterator[Path]:
    """A name in the same folder that nothing has, gone afterwards; as long as any name."""
    part = path.with_name(_own_name())
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


# Files that are read: regular ones alone, and none without an end.

#: Flags that not every system has: no links are followed, no pipe is waited for.
_CLOSED: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT: Final = getattr(os, "O_NONBLOCK", 0)
#: No file that is read whole is larger: ONNX ends at 2 GiB.
_MOST_BYTES: Final = 1 << 31


def open_regular(path: Path, flags: int = 0) -> io.BufferedReader:
    """Open a file; reading a pipe or a device might never end, so they are refused.

    Args:
        path: The file, or a link to it.
        flags: More of ``os.open``.

    Returns:
        The file, open for reading.

    Raises:
        OSError: It cannot be opened, or is no regular file.
    """
    number = os.open(path, os.O_RDONLY | _NO_WAIT | _CLOSED | flags)
    mode = os.fstat(number).st_mode
    if stat.S_ISREG(mode):
        return open(number, "rb")
    os.close(number)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "no regular file", str(path))


def read_regular(path: Path, most: int = _MOST_BYTES, flags: int = 0) -> bytes:
    """All bytes of a regular file.

    Args:
        path: The file, or a link to it.
        most: Bytes that it may have, in [0, inf).
        flags: More of ``os.open``.

    Raises:
        OSError: It cannot be read, is no regular file or larger.
    """
    with open_regular(path, flags) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"{size:,} bytes, {most:,} are allowed", str(path))
        return file.read(size)


@contextmanager
def draft_folder(folder: Path) -> Iterator[Path]:
    """Fill a folder under a temporary name beside it, then rename it.

    Args:
        folder: What it is called when the block has ended without an error; an older
            one steps aside first. The folder above is made.

    Yields:
        The new, empty folder.
    """
    if folder.parent.is_dir():
        sweep_drafts(folder.parent)
    draft = folder.with_name(_own_name(folder.name))
    old = draft.with_suffix(".old")
    draft.mkdir(parents=True)
    try:
        yield draft
        replaced = folder.exists()
        if replaced:
            folder.rename(old)
        try:
            draft.rename(folder)
        except OSError:
            if replaced:
                old.rename(folder)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


# Files and folders that only their owner may touch, from their first byte on.

_FOLDER: Final = 0o700
_FILE: Final = 0o600


def make_private_folder(path: Path) -> None:
    """Make a folder with mode 0700, whatever the umask; an older one is closed to others.

    Args:
        path: The folder; the one above it exists.

    Raises:
        DataError: Something else has that name, or a link.
        OSError: It cannot be made.
    """
    try:
        path.mkdir(_FOLDER)
    except FileExistsError:
        check_folder(path)
    os.chmod(path, _FOLDER)


def check_folder(path: Path) -> None:
    """Refuse a link, or anything else that is no folder.

    Raises:
        DataError: With the reason; also where nothing has that name.
    """
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if stat.S_ISLNK(mode):
        raise DataError(f"{path} is a link, enrolments are read from real folders: remove it")
    if not stat.S_ISDIR(mode):
        raise DataError(f"{path} is no folder, so no enrolment: remove it")


def write_private(path: Path, data: bytes) -> None:
    """Write a new file with mode 0600, whatever the umask.

    Args:
        path: The file; it must not exist.
        data: All of it.

    Raises:
        OSError: It exists or cannot be written.
    """
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | _CLOSED, _FILE)
    with open(number, "wb") as file:
        os.chmod(path, _FILE)  # a umask can only have closed it further
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def read_private(path: Path) -> bytes:
    """All bytes of a regular file; links, pipes and folders are refused.

    Raises:
        DataError: In one line.
    """
    try:
        if path.is_symlink():  # O_NOFOLLOW sees one that comes a moment later
            raise DataError(f"{path} cannot be read (it is a link): enrol again")
        return read_regular(path, flags=_NO_LINK)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"{path} cannot be read ({reason}): enrol again") from error


def open_to_others(path: Path) -> bool:
    """Whether anyone but the owner may read, write or enter a file or folder."""
    return os.name == "posix" and bool(path.lstat().st_mode & 0o077)


# One process at a time in a folder.

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
