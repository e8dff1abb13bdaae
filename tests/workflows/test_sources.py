"""Opening a source: what is wrong with it is said, and what cannot be used is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import facekit
from facekit.datasets.sources import open_attributes
from facekit.errors import DataError
from facekit.frame import FaceFrame
from facekit.system.home import caches_in
from facekit.workflows.sources import crop_source

FRAME = FaceFrame(side=24)


@pytest.fixture
def folder(cartoon_celeba: Path, tmp_path: Path) -> Path:
    """A copy of the cartoon CelebA that may be damaged."""
    return Path(shutil.copytree(cartoon_celeba, tmp_path / "celeba"))


def of_split(folder: Path, split: str) -> list[Path]:
    part = {"train": "0", "val": "1", "test": "2"}[split]
    lines = (folder / "list_eval_partition.txt").read_text().splitlines()
    names = [line.split()[0] for line in lines if line.split()[1] == part]
    return [folder / "img_align_celeba" / name for name in names]


def cut_off(path: Path) -> None:
    """Leave a JPEG's first bytes only: it still looks like a picture."""
    path.write_bytes(path.read_bytes()[:40])


def test_pictures_that_cannot_be_decoded_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = of_split(folder, "train")
    for path in images[:4]:
        cut_off(path)
    table = open_attributes("celeba", folder, ("train",))
    for _ in range(2):  # while cropping, and from the finished cache
        with pytest.raises(DataError, match=r"4 of 50 images.*--allow-missing") as caught:
            crop_source(table, FRAME, progress=False)
        line = str(caught.value)
        assert "\n" not in line and str(tmp_path) not in line
        assert [path.name in line for path in images[:4]] == [True, True, True, False]
    assert capsys.readouterr().err == ""
    opened = crop_source(table, FRAME, allow_missing=True, progress=False)
    assert len(opened.table) == 46 and images[0].name not in opened.table.ids
    assert "4 of 50 images" in capsys.readouterr().err


def test_evaluate_refuses_what_cannot_be_decoded(folder: Path, tiny_bundle: Path) -> None:
    cut_off(of_split(folder, "test")[0])
    with pytest.raises(DataError, match=r"1 of 5 images.*--allow-missing"):
        facekit.evaluate("celeba", folder, model=tiny_bundle)
    assert facekit.evaluate("celeba", folder, model=tiny_bundle, allow_missing=True).n == 4


def test_what_is_wrong_is_shown_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, *_ = of_split(folder, "test")
    open_attributes("celeba", folder, ("test",))
    assert capsys.readouterr().err == ""
    shutil.copy(first, first.with_name("guest.jpg"))
    open_attributes("celeba", folder, ("test",))
    assert "guest.jpg" in capsys.readouterr().err
    first.unlink()
    second.write_bytes(b"")
    open_attributes("celeba", folder, ("test",), allow_missing=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [shown.err.count(name) for name in (first.name, second.name, "guest.jpg")] == [1, 1, 1]


def test_crops_go_where_they_are_sent(folder: Path, tmp_path: Path, facekit_home: Path) -> None:
    table = open_attributes("celeba", folder, ("test",))
    with caches_in(tmp_path / "here"):
        opened = crop_source(table, FRAME, progress=False)
    assert opened.cache.folder.parent == tmp_path / "here" / "crops"
    assert not list(facekit_home.iterdir())
    opened = crop_source(table, FRAME, progress=False)
    assert opened.cache.folder.parent == facekit_home / "cache" / "crops"
