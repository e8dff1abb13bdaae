"""Open a data source: its table and its crop cache."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facekit.arrays import Int64
from facekit.bundle.bundle import Bundle
from facekit.cache.crops import NO_FACE, CropCache, build_cache
from facekit.datasets.splits import leave_out, read_excluded
from facekit.datasets.table import Table, undecodable_line
from facekit.errors import DataError
from facekit.frame import FaceFrame
from facekit.system.files import write_atomically
from facekit.system.home import cache_folder
from facekit.system.terminal import tell


@dataclass(frozen=True)
class Source:
    """A table whose every row has a crop.

    Attributes:
        table: Rows that could be cropped.
        cache: The crop cache of all rows.
        rows: Position in the cache of each row of the table.
    """

    table: Table
    cache: CropCache
    rows: Int64

    def places(self, split: str) -> Int64:
        """Positions in the cache of one split.

        Raises:
            DataError: The split is empty.
        """
        found: Int64 = self.rows[self.table.split == split]
        if not len(found):
            have = ", ".join(sorted(set(self.table.split.tolist()))) or "none"
            raise DataError(
                f"{self.table.name} has no images in split {split!r} (it has: {have}); "
                "name another folder or another split"
            )
        return found


def crop_source(
    table: Table,
    frame: FaceFrame,
    *,
    allow_missing: bool = False,
    excluded: frozenset[str] = frozenset(),
    progress: bool = True,
    bundle: Bundle | None = None,
) -> Source:
    """Crop every image of a table once, or open what was cropped before.

    Args:
        table: From ``open_attributes``.
        frame: The backbone's face frame.
        allow_missing: Leave out images that look like pictures but cannot be
            decoded, or show no face; standard error says which.
        excluded: Ids that nobody will use: whether they have a crop does not matter.
        progress: Show a bar.
        bundle: Refines faces that are found by their box alone; None for none.

    Returns:
        Rows that could be cropped, with the cache.

    Raises:
        DataError: An image cannot be used and ``allow_missing`` is not set, or
            none can.
    """
    root = cache_folder()
    refine = None if bundle is None or table.aligned else bundle.refiner()
    key = "" if bundle is None or refine is None else bundle.key
    cache = build_cache(
        table, frame, root=root / "crops", progress=progress, refine=refine, refine_key=key
    )
    rows = np.flatnonzero(cache.ok)
    if not len(rows):
        first = next(iter(cache.errors.items()), ("", "no images"))
        raise DataError(
            f"none of the {len(table):,} images can be used ({first[0]}: {first[1]})"
            f"{_hint(table, cache)}"
        )
    failed = ~cache.ok & ~np.isin(table.ids, list(excluded))
    if failed.any():
        line = undecodable_line(cache.errors, table.ids[failed].tolist(), len(table))
        line += _hint(table, cache)
        if not allow_missing:
            raise DataError(f"{line}; mend them, or pass --allow-missing to go on without them")
        tell(f"{line}: left out")
    return Source(table.select(rows), cache, rows)


def _hint(table: Table, cache: CropCache) -> str:
    """What to try where most pictures show no face to the detector."""
    faceless = sum(why == NO_FACE for why in cache.errors.values())
    if 2 * faceless <= len(table):
        return ""
    return (
        "; if they are faces cut out and aligned already, say so with --set data.aligned=fer "
        "(in evaluate: --aligned fer)"
    )


# What the user's list leaves out: neither learned from nor measured on.


def listed_ids(
    table: Table, path: Path, *, elsewhere: Callable[[], Iterable[str]] = tuple
) -> frozenset[str]:
    """Ids on a list that the table has; a list for the whole data serves a part of it.

    Args:
        table: Every split of a source, so that a list may name pictures of any.
        path: As for ``read_excluded``.
        elsewhere: Gives the ids that the source has in other splits, where the
            table is not all of it; a list may name those alone.

    Returns:
        The ids; none where the list is an audit's that found nothing.

    Raises:
        DataError: The list cannot be read, or names nothing of the source.
    """
    ids = read_excluded(path)
    there = ids.intersection(table.ids.tolist())
    unknown = ids - there
    if unknown:
        unknown = unknown.difference(elsewhere())
    if unknown == ids and ids:
        leave_out(table, ids)  # raises: says what is wrong with the ids
    if unknown:
        tell(
            f"{path}: {len(unknown):,} of its {len(ids):,} ids are no picture of {table.name}, "
            f"such as {min(unknown)!r}: they leave nothing out"
        )
    return there


def listed_attributes(
    table: Table, data: Path | None, source: str, path: Path | None
) -> frozenset[str]:
    """The same for some splits of CelebA.

    Args:
        table: From ``open_attributes``, as the next two were given to it.
        data: The folder.
        source: ``celeba`` or ``tfds``.
        path: The list, or None for nothing.

    Returns:
        The ids.

    Raises:
        DataError: As for ``listed_ids``.
    """
    if path is None:
        return frozenset()
    if source == "tfds" or data is None:
        return listed_ids(table, path)
    from facekit.datasets.celeba import listed_names

    return listed_ids(table, path, elsewhere=lambda: listed_names(data))


def without(source: Source, ids: frozenset[str]) -> Source:
    """A source without some of its rows; the crops stay, so that all lists share them.

    Args:
        source: Table and crops.
        ids: What to leave out.

    Returns:
        The other rows.

    Raises:
        DataError: No row would be left.
    """
    table = source.table
    kept = ~np.isin(table.ids, list(ids))
    if kept.all():
        return source
    if not kept.any():
        raise DataError(f"nothing of {table.name} is left: all {len(table):,} images are listed")
    return replace(source, table=table.select(kept), rows=source.rows[kept])


def tell_left_out(dataset: str, every: int, excluded: int, unlabelled: int = 0) -> None:
    """Say on standard error why not every image counts.

    Args:
        dataset: Name of the source.
        every: How many there are.
        excluded: How many of them are on the list to leave out.
        unlabelled: How many others have no usable label.
    """
    parts = [(excluded, "are on the list"), (unlabelled, "have no usable label")]
    told = [f"{count:,} {why}" for count, why in parts if count]
    if told:
        tell(f"{dataset}: {every:,} images, {' and '.join(told)}: left out")


# Copies of a picture among the crops of a source, looked for once.


def copy_groups(source: Source, *, held: bool = False) -> Int64:
    """Groups of near duplicates, kept beside the crops: they take 13 s for 32,000.

    Args:
        source: Table and crops.
        held: Look among the rows that are not trained on alone, which is enough for
            intervals; every other row is a group of its own.

    Returns:
        int64 array of shape (n,): row of the crop cache that shows the same
        picture first.
    """
    rows = source.rows[source.table.split != "train"] if held else source.rows
    looked = np.zeros(len(source.cache.ids), bool)
    looked[rows] = True
    path = source.cache.folder / ("copies-held.npy" if held else "copies.npy")
    try:
        found = np.load(path, allow_pickle=False)
        # Other rows may have other copies: what was found must not hang on who came first.
        if found.shape == looked.shape and np.array_equal(found >= 0, looked):
            return _own(found)[source.rows]
    except (OSError, EOFError, ValueError):
        pass
    from facekit.photos.copies import near_groups

    groups = np.full(len(looked), -1, np.int64)
    groups[rows] = rows[near_groups(source.cache.crops, rows=rows)]
    buffer = io.BytesIO()
    np.save(buffer, groups, allow_pickle=False)
    write_atomically(path, buffer.getvalue())
    return _own(groups)[source.rows]


def tell_conflicts(source: Source, copies: Int64 | None = None) -> None:
    """Say on standard error which pictures are there under several labels.

    Args:
        source: With one label a row; rows without a label conflict with nothing.
        copies: From ``copy_groups``; None compares pixels alone, which is quick.
    """
    from facekit.photos.copies import conflicts, exact_groups

    known = np.flatnonzero(source.table.labels >= 0)
    if copies is None:
        groups = exact_groups(source.cache.crops, rows=source.rows[known])
    else:
        groups = copies[known]
    there = known[conflicts(groups, source.table.labels[known])]
    if len(there):
        same = known[groups == groups[known == there[0]]]
        labels = source.table.labels[same]
        one, other = same[0], same[labels != labels[0]][0]
        tell(
            f"{source.table.name}: {len(there):,} images show the same picture under different "
            f"labels, such as {source.table.ids[one]} and {source.table.ids[other]}: facekit audit "
            "--exclude conflicts,near-conflicts --exclude-out FILE lists them, --exclude FILE "
            "leaves them out"
        )


def _own(groups: Int64) -> Int64:
    """Every row that has no group alone in one."""
    return np.where(groups < 0, np.arange(len(groups)), groups).astype(np.int64)
