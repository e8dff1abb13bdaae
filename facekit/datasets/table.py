"""Table: what every source is read into before anything is decoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from facekit.arrays import Bool, Float32, Int8, Int64, Str
from facekit.system.terminal import tell


class ByteStream(Protocol):
    """Encoded images that can only be read in order (a TFDS source, say)."""

    def __len__(self) -> int: ...

    def stream(self, rows: Int64) -> Iterator[bytes]:
        """Yield the encoded images of the given rows (ascending)."""
        ...


@dataclass(frozen=True)
class Issues:
    """What is wrong with a source; ids are file names, never absolute paths.

    Attributes:
        missing: Listed in the label file, not on disk.
        unreadable: On disk but empty, or no picture by its first bytes.
        unlisted: On disk, not listed.
        mislabelled: Left out because their label is no class.
    """

    missing: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    mislabelled: tuple[str, ...] = ()

    @property
    def blocking(self) -> int:
        """How many listed images cannot be used."""
        return len(self.missing) + len(self.unreadable)

    @property
    def found(self) -> bool:
        """Whether there is something to tell."""
        return bool(self.blocking or self.unlisted or self.mislabelled)


@dataclass(frozen=True)
class Table:
    """Images of one source with their labels; nothing is decoded yet.

    Attributes:
        name: Source name, such as ``"celeba"``.
        ids: str array of shape (n,), unique within the source (file names).
        images: n paths, or a ByteStream.
        labels: int8 array of shape (n, k) with 1, 0 and -1 for unknown
            (multi-label), or int64 array of shape (n,) with -1 for unknown.
        label_names: The k names, in the order of ``facekit.labels``.
        split: str array of shape (n,) with "train", "val" or "test".
        person: str array of shape (n,), or None when nobody says who it is.
        aligned: Key of ``frame.ALIGNED_EYES`` when the images come aligned,
            None when faces must be detected.
        issues: What was found wrong while reading.
        soft: float32 array of shape (n, k) whose rows sum to 1 (votes of several
            people, say) or are all 0 where nobody voted; None without votes.
    """

    name: str
    ids: Str
    images: Sequence[Path] | ByteStream
    labels: Int8 | Int64
    label_names: tuple[str, ...]
    split: Str
    person: Str | None = None
    aligned: str | None = None
    issues: Issues = field(default_factory=Issues)
    soft: Float32 | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, rows: Bool | Int64) -> Table:
        """The given rows, in the given order (ascending for a ByteStream).

        Args:
            rows: Boolean mask of shape (n,) or integer positions.

        Returns:
            A Table of those rows.
        """
        index = np.arange(len(self))[rows]
        images: Sequence[Path] | ByteStream
        if isinstance(self.images, Sequence):
            images = [self.images[i] for i in index]
        else:
            images = _Rows(self.images, index)
        return replace(
            self,
            ids=self.ids[index],
            images=images,
            labels=self.labels[index],
            split=self.split[index],
            person=None if self.person is None else self.person[index],
            soft=None if self.soft is None else self.soft[index],
        )


@dataclass(frozen=True)
class _Rows:
    """A selection of a ByteStream."""

    base: ByteStream
    index: Int64

    def __len__(self) -> int:
        return len(self.index)

    def stream(self, rows: Int64) -> Iterator[bytes]:
        return self.base.stream(self.index[rows])


# Say what is wrong with a source: one line for errors, a table for people.

_EXAMPLES = 3


def issues_line(issues: Issues, total: int) -> str:
    """What keeps a source from being used, in one line.

    Args:
        issues: What was found.
        total: How many images were asked for.

    Returns:
        Such as ``"2 of 1,000 images cannot be used: 1 missing (000004.jpg), 1
        unreadable (000007.jpg)"``; "" when nothing is wrong.
    """
    kinds = [("missing", issues.missing), ("unreadable", issues.unreadable)]
    parts = [f"{len(ids):,} {kind} ({_examples(ids)})" for kind, ids in kinds if ids]
    if not parts:
        return ""
    return f"{issues.blocking:,} of {total:,} images cannot be used: {', '.join(parts)}"


def issues_table(issues: Issues) -> str:
    """Kinds, counts and examples as a plain table.

    Args:
        issues: What was found.

    Returns:
        A header and three rows (a fourth where labels are no class), no trailing
        line break.
    """
    rows = [
        ("missing", "listed, not on disk", issues.missing),
        ("unreadable", "empty or no picture", issues.unreadable),
        ("unlisted", "on disk, not listed", issues.unlisted),
    ]
    if issues.mislabelled:
        rows.append(("mislabelled", "label is no class", issues.mislabelled))
    lines = [f"{'kind':<12}{'meaning':<21}{'images':>9}  examples"]
    for kind, meaning, ids in rows:
        line = f"{kind:<12}{meaning:<21}{len(ids):>9,}  {_examples(ids)}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def undecodable_line(errors: Mapping[str, str], ids: Sequence[str], total: int) -> str:
    """Which images passed the first check and still are no pictures, in one line.

    Args:
        errors: Why, by id.
        ids: Which, in the order of the source.
        total: How many images were asked for.

    Returns:
        Such as ``"1 of 1,000 images cannot be used (000004.jpg: it is cut off)"``.
    """
    told = [f"{name}: {errors[name]}" if name in errors else name for name in ids[:_EXAMPLES]]
    more = "; …" if len(ids) > _EXAMPLES else ""
    return f"{len(ids):,} of {total:,} images cannot be used ({'; '.join(told)}{more})"


def _examples(ids: tuple[str, ...]) -> str:
    more = ", …" if len(ids) > _EXAMPLES else ""
    return ", ".join(ids[:_EXAMPLES]) + more


def tell_issues(table: Table, data: Path | None) -> None:
    """Say on standard error what is wrong with a source.

    Args:
        table: As it was read.
        data: The folder that the user named.
    """
    if table.issues.found:
        tell(f"{data}:\n{issues_table(table.issues)}")
