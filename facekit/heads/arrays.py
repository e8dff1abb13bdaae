"""Named arrays in one .npz file: no pickle, the same bytes for the same arrays."""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import numpy as np
from numpy.typing import NDArray

from facekit.errors import BundleError
from facekit.system.files import open_regular, read_regular

Arrays = Mapping[str, NDArray[Any]]

#: A compressed file may unpack to this, or to so many times its own length.
_UNPACKED, _TIMES = 1 << 28, 4
#: Asked for at once: the list of members of a zip file comes in one read.
_MOST_AT_ONCE: Final = 1 << 23
#: Rows of an array that has no numbers, which no length of a file bounds.
_MOST_EMPTY: Final = 1 << 20
#: How a .npy file begins: kind, order and shape of numbers, booleans or texts.
_MOST_HEAD: Final = 10_000
_HEAD: Final = re.compile(
    rb"\{\s*'descr'\s*:\s*'([<>|=]?[biufcUS]\d{1,6})'\s*,\s*'fortran_order'\s*:\s*(True|False)\s*,"
    rb"\s*'shape'\s*:\s*\(([\d,\s]{0,999})\)\s*,?\s*\}\s*"
)


def pack(arrays: Arrays) -> bytes:
    """The bytes of an .npz file that holds the arrays in the given order.

    ``numpy.savez`` writes the time of day into the file; here equal arrays give
    equal bytes, so that a hash says whether a head has changed.

    Args:
        arrays: Arrays of numbers, booleans or strings by name.

    Returns:
        A zip archive with one uncompressed .npy member for each array.

    Raises:
        ValueError: An array holds Python objects.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, member.getvalue())
    return buffer.getvalue()


def unpack(source: Path | bytes, name: str = "") -> dict[str, NDArray[Any]]:
    """Read an .npz file; arrays of Python objects are refused.

    Args:
        source: A file, or its bytes.
        name: What to call it in an error; the file's name by default.

    Returns:
        The arrays by name.

    Raises:
        BundleError: The file is missing, damaged or holds pickled objects.
    """
    name = name or (source.name if isinstance(source, Path) else "the arrays")
    try:
        data = read_regular(source) if isinstance(source, Path) else source
        return dict(StoredArrays(io.BytesIO(data)))
    except (OSError, ValueError) as error:
        raise BundleError(
            f"{name} is not a readable .npz file of plain arrays ({error}): install the model again"
        ) from error


class StoredArrays(Mapping[str, NDArray[Any]]):
    """The arrays of an .npz file by name; each is read when it is asked for.

    What an array needs is compared with what the file holds before there is memory for it.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Open a file; it must stay open.

        Args:
            file: Open for reading, at any place.

        Raises:
            ValueError: It is no .npz file that can be read, in one line.
        """
        with _damage("no zip archive, or cut short"):
            length = file.seek(0, io.SEEK_END)
            if not zipfile.is_zipfile(file):
                raise ValueError("no zip archive, or cut short")
            self._archive = zipfile.ZipFile(_Bounded(cast(io.RawIOBase, file)))
            members = self._archive.infolist()
            whole = sum(member.file_size for member in members)
            if whole > max(_UNPACKED, _TIMES * length):
                raise ValueError(f"{length:,} bytes that unpack to {whole:,}")
            self._members = {member.filename.removesuffix(".npy"): member for member in members}
            if len(members) != len(self._members):
                raise ValueError("two arrays of one name")

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """One array; ValueError where it is damaged."""
        member = self._members[name]
        with _damage(f"the array {name[:80]}"):
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError("packed in another way than NumPy does")
            with self._archive.open(member) as file:
                kind, shape, columns = _read_head(cast(BinaryIO, file))
                held = member.file_size - file.tell()
                if kind.itemsize * math.prod(shape) != held:
                    raise ValueError(f"{held:,} bytes are no {kind} of shape {shape}"[:200])
                data = bytearray()
                while part := file.read(_MOST_AT_ONCE):  # the last one checks the sum
                    data += part
            return np.frombuffer(data, kind).reshape(shape, order="F" if columns else "C")


class _Bounded(io.BufferedReader):
    """A file of which not too much is read at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MOST_AT_ONCE:
            raise ValueError("a list of members without an end")
        return super().read(_MOST_AT_ONCE if size is None or size < 0 else size)


def _read_head(file: BinaryIO) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    """Kind, shape and order of the numbers in a .npy file, which nothing evaluates."""
    width = {b"\x93NUMPY\1\0": 2, b"\x93NUMPY\2\0": 4}.get(file.read(8))
    if width is None:
        raise ValueError("no .npy file of version 1 or 2")
    length = int.from_bytes(file.read(width), "little")
    head = _HEAD.fullmatch(file.read(length)) if length <= _MOST_HEAD else None
    if head is None:
        raise ValueError("holds neither numbers nor texts, or says so in an odd way")
    kind = np.dtype(head[1].decode())
    shape = tuple(int(size) for size in head[3].split(b",") if size.strip())
    empty = 0 in shape and math.prod(size or 1 for size in shape) > _MOST_EMPTY
    if empty or not kind.itemsize:
        raise ValueError(f"{kind} of shape {shape}"[:200])
    return kind, shape, head[2] == b"True"


@contextmanager
def _damage(what: str) -> Iterator[None]:
    """Whatever a damaged file makes zipfile, zlib, NumPy and Python's parser raise."""
    try:
        yield
    except Exception as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ValueError(reason if reason == what else f"{what}: {reason}") from error


def open_array(path: Path) -> NDArray[Any]:
    """The memory map of a .npy file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is damaged, whatever NumPy says of it.
    """
    open_regular(path).close()
    with _damage(path.name):
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
