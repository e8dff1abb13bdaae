"""CK+: FER's emotions, persons from file names, contempt unknown."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.cache.crops import build_cache
from facekit.datasets.ckplus import read_ckplus
from facekit.errors import DataError
from facekit.frame import FaceFrame
from facekit.labels import EMOTIONS

FILES = {
    "anger": ("S010_004_00000017.png", "S010_004_00000018.png"),
    "contempt": ("S138_008_00000007.png",),
    "happy": ("S010_006_00000013.png", "portrait.png"),
    "sadness": ("s11_002_00000020.png",),
}


def draw(folder: Path) -> Path:
    for emotion, names in FILES.items():
        (folder / emotion).mkdir(parents=True)
        for name in names:
            assert cv2.imwrite(str(folder / emotion / name), np.full((48, 48), 90, np.uint8))
    return folder


def test_classes_and_persons(tmp_path: Path) -> None:
    table = read_ckplus(draw(tmp_path))
    assert (table.name, table.label_names, set(table.split.tolist())) == (
        "ckplus", EMOTIONS, {"test"},
    )  # fmt: skip
    assert table.labels.tolist() == [0, 0, -1, 3, 3, 4] and table.labels.dtype == np.int64
    assert table.person is not None
    assert table.person.tolist() == ["S010", "S010", "S138", "S010", "of portrait.png", "S11"]


def test_it_can_be_cropped_as_it_is(tmp_path: Path) -> None:
    table = read_ckplus(draw(tmp_path / "ckplus"))
    cache = build_cache(table, FaceFrame(side=40), root=tmp_path / "cache", progress=False)
    assert cache.ok.all() and len(cache.crops) == 6


def test_other_classes_are_refused(tmp_path: Path) -> None:
    draw(tmp_path)
    (tmp_path / "contempt").rename(tmp_path / "pride")
    with pytest.raises(DataError, match=r"'pride'.*neutral and contempt"):
        read_ckplus(tmp_path)
    with pytest.raises(DataError, match="is no CK\\+"):
        read_ckplus(tmp_path / "anger")


@pytest.mark.real
def test_the_real_folders_agree_with_the_card(real_data: Path) -> None:
    from facekit.datasets.cards import card_files, read_card

    table = read_ckplus(real_data / "ckplus")
    counts = read_card(card_files()["ckplus"])["counts"]
    assert len(table) == counts["images"] and table.person is not None
    assert len(set(table.person.tolist())) == counts["people"]
    assert (table.labels == -1).sum() == counts["classes"]["contempt"]


def test_of_several_other_classes_the_first_is_named(tmp_path: Path) -> None:
    draw(tmp_path)
    for name in "zyxwvutsrq":
        (tmp_path / name).mkdir()
        assert cv2.imwrite(str(tmp_path / name / "0.png"), np.full((48, 48), 90, np.uint8))
    with pytest.raises(DataError, match="class folder 'q'"):
        read_ckplus(tmp_path)
