"""Named arrays in one .npz file: no pickle, the same bytes for the same arrays."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facekit.errors import BundleError

Arrays = Mapping[str, NDArray[Any]]

#: What a damaged or foreign file makes NumPy and zipfile raise.
_DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError)


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
        data = source.read_bytes() if isinstance(source, Path) else source
        if not zipfile.is_zipfile(io.BytesIO(data)):
            raise ValueError("no zip archive, or cut short")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except _DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BundleError(
            f"{name} is not a readable .npz file of plain arrays ({reason}): "
            "install the model again"
        ) from error
