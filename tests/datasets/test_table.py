"""Selecting rows of a Table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facekit.datasets.table import Table


class Letters:
    """A ByteStream of five images."""

    def __len__(self) -> int:
        return 5

    def stream(self, rows: NDArray[np.int64]) -> Iterator[bytes]:
        return (b"abcde"[i : i + 1] for i in rows.tolist())


def table(images: object) -> Table:
    return Table(
        name="letters",
        ids=np.array(list("abcde")),
        images=images,  # type: ignore[arg-type]
        labels=np.arange(5),
        label_names=("n",),
        split=np.array(["train", "val", "train", "test", "train"]),
        person=np.array(list("xxyyz")),
    )


def test_a_mask_keeps_all_columns_together() -> None:
    whole = table([Path(f"{c}.jpg") for c in "abcde"])
    part = whole.select(whole.split == "train")
    assert part.ids.tolist() == ["a", "c", "e"]
    assert part.images == [Path("a.jpg"), Path("c.jpg"), Path("e.jpg")]
    assert part.labels.tolist() == [0, 2, 4]
    assert part.person is not None
    assert part.person.tolist() == ["x", "y", "z"]
    assert len(part) == 3


def test_positions_keep_their_order() -> None:
    assert table([Path(c) for c in "abcde"]).select(np.array([3, 1])).ids.tolist() == ["d", "b"]


def test_a_stream_can_be_selected_twice() -> None:
    part = table(Letters()).select(np.array([0, 2, 3, 4])).select(np.array([1, 3]))
    assert not isinstance(part.images, list)
    assert len(part.images) == 2
    assert list(part.images.stream(np.array([0, 1]))) == [b"c", b"e"]  # type: ignore[union-attr]
