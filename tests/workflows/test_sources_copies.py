"""Copies of a picture: what is found does not hang on what was looked for before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.datasets.sources import open_classes
from facekit.frame import FaceFrame
from facekit.workflows.sources import Source, copy_groups, crop_source

FRAME = FaceFrame(side=40)


@pytest.fixture
def source(tmp_path: Path, facekit_home: Path) -> Source:
    """Five pictures, one of them broken; pictures 0, 2 and 3 are one, which train has once."""
    places = [("train", "a", 1), ("train", "b", 2), ("val", "a", 1), ("val", "b", 1)]
    for i, (part, name, seed) in enumerate([*places, ("val", "b", 3)]):
        path = tmp_path / "faces" / part / name / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        blots = np.random.default_rng(seed).integers(0, 200, (9, 9, 3), np.uint8) + 9 * (i == 3)
        picture = cv2.resize(blots.astype(np.uint8), (48, 48), interpolation=cv2.INTER_CUBIC)
        assert cv2.imwrite(str(path), picture)
    (tmp_path / "faces" / "train" / "a" / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    table = open_classes("folder", tmp_path / "faces", aligned="fer")
    assert table.ids.tolist() == [
        "train/a/0.png", "train/a/x.png", "train/b/1.png",
        "val/a/2.png", "val/b/3.png", "val/b/4.png",
    ]  # fmt: skip
    return crop_source(table, FRAME, allow_missing=True, progress=False)


def test_groups_are_rows_of_the_cache(source: Source) -> None:
    assert source.rows.tolist() == [0, 2, 3, 4, 5]
    assert copy_groups(source).tolist() == [0, 2, 0, 0, 5]
    assert copy_groups(source, held=True).tolist() == [0, 2, 3, 3, 5]


@pytest.mark.parametrize("held", [False, True])
def test_they_are_looked_for_once(
    source: Source, monkeypatch: pytest.MonkeyPatch, held: bool
) -> None:
    from facekit.photos import copies as duplicates

    found = copy_groups(source, held=held)
    monkeypatch.setattr(duplicates, "near_groups", None)
    assert np.array_equal(copy_groups(source, held=held), found)
    with pytest.raises(TypeError):  # neither serves the other
        copy_groups(source, held=not held)


@pytest.mark.parametrize("damage", [b"", b"no array", "short", "other"])
def test_what_is_damaged_or_of_other_rows_is_looked_for_again(
    source: Source, damage: bytes | str
) -> None:
    found, path = copy_groups(source), source.cache.folder / "copies.npy"
    if damage == "short":
        np.save(path, np.zeros(3, np.int64))
    elif damage == "other":
        copy_groups(replace(source, table=source.table.select([0, 1]), rows=source.rows[:2]))  # type: ignore[arg-type]
        assert np.load(path).tolist() == [0, -1, 2, -1, -1, -1]
    else:
        path.write_bytes(damage)  # type: ignore[arg-type]
    assert np.array_equal(copy_groups(source), found)
    assert np.load(path).tolist() == [0, -1, 2, 0, 0, 5]
