"""CelebA from a folder, in its official layout or as the Kaggle csv copy.

Official, flat or in the ``Anno``, ``Eval`` and ``Img`` folders of the download::

    img_align_celeba/000001.jpg …   list_attr_celeba.txt
    list_eval_partition.txt (optional)   identity_CelebA.txt (optional)

Kaggle::

    img_align_celeba/img_align_celeba/000001.jpg …   list_attr_celeba.csv
    list_eval_partition.csv (optional)

The images may be those of the PNG download (``img_align_celeba_png``): the lists name
them as ``.jpg`` still.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Final

import numpy as np

from facekit.arrays import Int8, Str
from facekit.datasets.folder import SPLIT_FOLDERS
from facekit.datasets.lists import read_rows
from facekit.datasets.table import Issues, Table, issues_line
from facekit.errors import DataError, UsageError
from facekit.labels import ATTRIBUTES
from facekit.system.terminal import tell

#: Says that ``datasets.cartoon`` drew the folder: its table is named "cartoon".
CARTOON_NOTE: Final = "cartoon.json"
#: Names of the three partitions.
SPLITS: tuple[str, ...] = ("train", "val", "test")

#: Characters of a cell that a message shows, and digits of a number of images.
_SHOWN, _DIGITS = 40, 12
_PLACES = ("", "Anno", "Eval", "Img")
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
#: First bytes of JPEG, PNG, RIFF (WebP), BMP, GIF and TIFF files.
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"BM", b"GIF8", b"II*\0", b"MM\0*")


def read_celeba(
    folder: Path | str, *, splits: tuple[str, ...] = SPLITS, allow_missing: bool = False
) -> Table:
    """Read the lists of CelebA and check the images of the asked splits.

    Images of other splits are neither opened nor required. Without a partition
    list people are split 80/10/10 by a hash of their number, and without an
    identity list images are, by a hash of their name; a logged warning says so.

    Args:
        folder: Holds the lists and ``img_align_celeba``.
        splits: Which of "train", "val" and "test" to return.
        allow_missing: Leave out images that are missing, unreadable or in no
            partition, instead of refusing the folder.

    Returns:
        Table with int8 labels of shape (n, 40), sorted as in the list;
        ``person`` is None without an identity list. A person whose image is in
        no identity list is a person of their own.

    Raises:
        DataError: A list or the image folder is missing or damaged, an image
            cannot be used, or no image is left.
        UsageError: ``splits`` names something else.
    """
    folder = Path(folder).expanduser()
    require_splits(splits)
    attributes, images = _find_attributes(folder), _find_images(folder)
    listed, labels = read_attributes(attributes, allow_short=allow_missing)
    names = np.array(listed, dtype=np.str_)
    person = _persons(folder, listed)
    split = _splits(folder, listed, person, allow_missing)

    rows = np.flatnonzero(np.isin(split, splits))
    if len(rows) == 0:
        raise DataError(
            f"{folder}: none of its {len(listed):,} listed images is in "
            f"{' or '.join(splits)}; ask for a split that it has"
        )
    issues, found = _check(images, names[rows].tolist(), listed)
    if issues.blocking and not allow_missing:
        raise DataError(
            f"{folder}: {issues_line(issues, len(rows))}; complete the download, "
            "or pass --allow-missing to go on without them"
        )
    rows = rows[[name is not None for name in found]]
    if len(rows) == 0:
        raise DataError(f"{images}: no usable image of {', '.join(splits)}")
    return Table(
        name="cartoon" if (folder / CARTOON_NOTE).is_file() else "celeba",
        ids=names[rows],
        images=[images / name for name in found if name is not None],
        labels=labels[rows],
        label_names=ATTRIBUTES,
        split=split[rows],
        person=None if person is None else person[rows],
        aligned="celeba",
        issues=issues,
    )


def listed_names(folder: Path | str) -> list[str]:
    """Names of all images that the folder's list names, of every split.

    Raises:
        DataError: The list is missing or damaged.
    """
    return read_attributes(_find_attributes(Path(folder).expanduser()), allow_short=True)[0]


def require_splits(splits: tuple[str, ...]) -> None:
    """Refuse names that are no split.

    Raises:
        UsageError: None is named, or one that is not in ``SPLITS``.
    """
    wrong = [name for name in splits if name not in SPLITS]
    if wrong or not splits:
        raise UsageError(f"splits: {wrong or splits} is not among {', '.join(SPLITS)}")


def _find_list(folder: Path, stem: str) -> Path | None:
    for place in _PLACES:
        for suffix in (".txt", ".csv"):
            path = folder / place / f"{stem}{suffix}"
            if path.is_file():
                return path
    return None


def _find_attributes(folder: Path) -> Path:
    path = _find_list(folder, "list_attr_celeba")
    if path is not None:
        return path
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; name the one with list_attr_celeba.txt")
    raise DataError(
        f"{folder}: neither list_attr_celeba.txt nor list_attr_celeba.csv is in it; "
        "name the folder that holds one of them and img_align_celeba"
    )


def _find_images(folder: Path) -> Path:
    for place in _PLACES:
        outer = folder / place / "img_align_celeba"
        png = outer.with_name("img_align_celeba_png")
        for path in (outer / "img_align_celeba", outer, png / "img_align_celeba_png", png):
            if path.is_dir():
                return path
    packed = any((folder / place / "img_align_celeba.zip").is_file() for place in _PLACES)
    what = "unpack img_align_celeba.zip there" if packed else "put the aligned images there"
    raise DataError(f"{folder}: it has no folder img_align_celeba; {what}")


def _persons(folder: Path, names: list[str]) -> Str | None:
    path = _find_list(folder, "identity_CelebA")
    if path is None:
        return None
    known = read_identities(path)
    alone = sum(name not in known for name in names)
    if alone == len(names):
        raise DataError(
            f"{path} names none of the {len(names):,} listed images, such as {names[0]!r}: "
            "fetch it again, or take it out of the folder to go on without people"
        )
    if alone:
        tell(f"{path} does not name {alone:,} images: each counts as a person of its own")
    return np.array([known.get(name, f"of {name}") for name in names], dtype=np.str_)


def _splits(folder: Path, names: list[str], person: Str | None, allow_missing: bool) -> Str:
    """Split of every listed image; "" for one that is in no partition."""
    path = _find_list(folder, "list_eval_partition")
    if path is None:
        by = "a hash of the image name" if person is None else "person"
        tell(f"{folder} has no list_eval_partition: split 80/10/10 by {by}")
        return _hashed(names if person is None else person.tolist())
    known = read_partitions(path)
    outside = [name for name in names if name not in known]
    if outside and not allow_missing:
        raise DataError(
            f"{path}: {len(outside):,} of {len(names):,} listed images are in no partition "
            f"({', '.join(outside[:3])}); complete it, or pass --allow-missing to leave them out"
        )
    if outside:
        tell(f"{path}: {len(outside):,} listed images are in no partition: left out")
    return np.array([known.get(name, "") for name in names], dtype="<U5")


def _hashed(keys: list[str]) -> Str:
    """About 80/10/10 by SHA-256: the same on every machine and for any subset."""
    cache: dict[str, str] = {}
    for key in keys:
        if key not in cache:
            share = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()[0] / 256
            cache[key] = "train" if share < 0.8 else "val" if share < 0.9 else "test"
    return np.array([cache[key] for key in keys], dtype="<U5")


def _check(
    images: Path, wanted: Sequence[str], listed: Iterable[str]
) -> tuple[Issues, list[str | None]]:
    """One directory listing, then the first bytes of the wanted images.

    Returns:
        What is wrong, and the file of each image: by its name, else with another
        suffix; None where it cannot be used.
    """
    with os.scandir(images) as entries:
        present = {entry.name for entry in entries}
    extra = sorted(name for name in present.difference(listed) if name.lower().endswith(_SUFFIXES))
    others: dict[str, list[str]] = {}
    for name in extra:
        others.setdefault(name.rpartition(".")[0], []).append(name)
    missing, unreadable, elsewhere, doubled = [], [], [], []
    found: list[str | None] = []
    for name in wanted:
        stand_ins = [] if name in present else others.get(name.rpartition(".")[0], [])
        file = name if name in present else next(iter(stand_ins), None)
        if len(stand_ins) > 1:
            doubled.append(" and ".join(stand_ins))
        if file is None:
            missing.append(name)
        elif not _looks_like_picture(images / file):
            unreadable.append(name)
            file = None
        elif file != name:
            elsewhere.append(f"{file} for {name}")
        found.append(file)
    if elsewhere:
        tell(f"{images}: {len(elsewhere):,} images have another suffix, such as {elsewhere[0]}")
    if doubled:
        tell(
            f"{images}: {len(doubled):,} images have several files of other suffixes, such as "
            f"{doubled[0]}: the first is read"
        )
    stems = {name.rpartition(".")[0] for name in listed if name not in present}
    unlisted = tuple(name for name in extra if name.rpartition(".")[0] not in stems)
    return Issues(tuple(missing), tuple(unreadable), unlisted), found


def _looks_like_picture(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError:
        return False
    try:
        return os.read(handle, 8).startswith(_MAGIC)
    except OSError:  # a folder of that name
        return False
    finally:
        os.close(handle)


# The text and csv lists that come with CelebA, parsed and checked.

_PARTS: Final = {
    **{f"{i}{end}": split for i, split in enumerate(SPLITS) for end in ("", ".0")},
    **SPLIT_FOLDERS,
}


def read_attributes(path: Path, *, allow_short: bool = False) -> tuple[list[str], Int8]:
    """Read ``list_attr_celeba.txt`` or ``.csv``; columns are matched by name.

    A file that holds -1 anywhere uses CelebA's own coding (1 yes, -1 no, 0
    unknown); one without uses 1 yes, 0 no.

    Args:
        path: The list; its suffix tells the layout.
        allow_short: Accept a text list with fewer rows than its first line says.

    Returns:
        n file names in the order of the list, and an int8 array of shape
        (n, 40) in the order of ``ATTRIBUTES`` with 1, 0 and -1 for unknown.

    Raises:
        DataError: A column is missing, a row is malformed or named twice, or
            the list is shorter than it says.
    """
    rows = _rows(path)
    count, header = _head(path, rows)
    pick = _columns(path, header)
    names: list[str] = []
    cells: list[str] = []
    for row in rows:
        if len(row) != len(header) + 1:
            raise DataError(
                f"{path}: image {row[0][:_SHOWN]!r} has {len(row) - 1} values, its header names "
                f"{len(header)}; the list is damaged, fetch it again"
            )
        names.append(row[0])
        cells.append(" ".join(pick(row)))
    values = _numbers(path, names, cells)
    if count is not None and count != len(names):
        line = f"{path}: its first line says {count:,} images, it lists {len(names):,}"
        if not allow_short:
            raise DataError(
                f"{line}; fetch it again, or pass --allow-missing to use what is listed"
            )
        tell(line)
    _refuse_twice(path, names)
    return names, values


def read_partitions(path: Path) -> dict[str, str]:
    """Read ``list_eval_partition.txt`` or ``.csv``.

    Args:
        path: The list; its suffix tells the layout.

    Returns:
        File name to "train", "val" or "test".

    Raises:
        DataError: A value is neither 0, 1 or 2 nor the name of a split, or an image
            is listed twice.
    """
    pairs = _pairs(path, "partition")
    parts = {name: _PARTS.get(value.casefold(), "") for name, value in pairs.items()}
    odd = next((name for name, part in parts.items() if not part), None)
    if odd is not None:
        raise DataError(
            f"{path}: partition {pairs[odd][:_SHOWN]!r} is not 0 (train), 1 (val) or 2 (test), "
            f"as it should be for {odd[:_SHOWN]!r}"
        )
    return parts


def read_identities(path: Path) -> dict[str, str]:
    """Read ``identity_CelebA.txt`` or ``.csv``.

    Args:
        path: The list; its suffix tells the layout.

    Returns:
        File name to the person's number or name, as text.

    Raises:
        DataError: A row does not have two fields, some people are numbers and some
            are not, or an image is listed twice.
    """
    pairs = _pairs(path, "person")
    numbered = [value.isdecimal() for value in pairs.values()]
    if any(numbered) and not all(numbered):
        odd = list(pairs)[numbered.index(False)]
        raise DataError(
            f"{path}: {odd[:_SHOWN]!r} has {pairs[odd][:_SHOWN]!r} where other images have a "
            "number: write all people as numbers, or none"
        )
    return pairs


def _rows(path: Path) -> Iterator[list[str]]:
    """Non-empty rows, split at commas (csv) or white space (txt), or as the file shows."""
    return (cells for _, cells in read_rows(path, blanks=path.suffix.lower() != ".csv"))


def _head(path: Path, rows: Iterator[list[str]]) -> tuple[int | None, list[str]]:
    """The number of rows, if the list says it, and the names of the columns."""
    first = next(rows, [])
    count = None
    if len(first) == 1 and first[0].isdecimal():
        if len(first[0]) > _DIGITS:
            raise DataError(
                f"{path}: its first line says {first[0][:_SHOWN]}… images ({len(first[0]):,} "
                "digits); the list is damaged, fetch it again"
            )
        count, first = int(first[0]), next(rows, [])
    if path.suffix.lower() == ".csv" and first:
        if not first[0] and len(first) > len(ATTRIBUTES) + 1:
            raise DataError(
                f"{path}: its first column has no name, as pandas writes an index; wanted are "
                "the file names first: save it with index=False"
            )
        first = first[1:]  # a csv names the column of file names too
    return count, first


def _columns(path: Path, header: list[str]) -> Callable[[list[str]], Sequence[str]]:
    """A function that picks the 40 attributes from a row, in our order."""
    missing = [name for name in ATTRIBUTES if header.count(name) != 1]
    if missing:
        more = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        raise DataError(
            f"{path}: the header must name each of the 40 attributes once, "
            f"{missing[0]}{more} is not; use CelebA's own list"
        )
    return itemgetter(*(header.index(name) + 1 for name in ATTRIBUTES))


def _numbers(path: Path, names: list[str], cells: list[str]) -> Int8:
    """Cells to 1, 0 and -1 for unknown."""
    shape = (len(names), len(ATTRIBUTES))
    try:
        with warnings.catch_warnings():  # text that is no number only warns
            warnings.simplefilter("error", DeprecationWarning)
            raw = np.fromstring(" ".join(cells), dtype=np.int64, sep=" ").reshape(shape)
    except (ValueError, DeprecationWarning):
        raw = np.full(shape, 9, np.int64)
    if not np.isin(raw, (-1, 0, 1)).all():
        allowed = {"-1", "0", "1", "+1"}
        values = [cell.split() for cell in cells]
        good = (len(row) == len(ATTRIBUTES) and set(row) <= allowed for row in values)
        row = next((i for i, fine in enumerate(good) if not fine), 0)
        raise DataError(
            f"{path}: the values of {names[row][:_SHOWN]!r} are not all 1, -1 or 0"
            + (" (a cell is empty)" if len(values[row]) < len(ATTRIBUTES) else "")
        )
    if (raw == -1).any():
        unknown, no = int((raw == 0).sum()), int((raw == -1).sum())
        if unknown:
            tell(
                f"{path}: {unknown:,} values are 0 and {no:,} are -1: -1 is no and 0 unknown, as "
                "in CelebA's own list; where 0 means no, there must be no -1"
            )
        return np.where(raw == 1, 1, np.where(raw == -1, 0, -1)).astype(np.int8)
    return raw.astype(np.int8)


def _refuse_twice(path: Path, names: list[str]) -> None:
    if len(set(names)) == len(names):
        return
    seen: set[str] = set()
    twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
    raise DataError(
        f"{path}: {twice[:_SHOWN]!r} is listed twice; the list is damaged, fetch it again"
    )


def _pairs(path: Path, what: str) -> dict[str, str]:
    """File name to value; the first row may be a header, which names no picture."""
    rows = list(_rows(path))
    wrong = next((row for row in rows if len(row) != 2 or not all(row)), None)
    if wrong is not None:
        shown = [cell[:_SHOWN] for cell in wrong[:4]]
        raise DataError(f"{path}: expected a file name and a {what} in each line, found {shown}")
    if rows and not rows[0][0].lower().endswith(_SUFFIXES) and not rows[0][1].isdecimal():
        del rows[0]
    _refuse_twice(path, [name for name, _ in rows])
    return dict(rows)
