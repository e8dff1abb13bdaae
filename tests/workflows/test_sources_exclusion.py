"""What is on the user's list is neither learned from nor measured on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import facekit
from facekit.datasets.celeba import read_partitions
from facekit.datasets.sources import open_attributes, open_classes
from facekit.errors import DataError
from facekit.frame import FaceFrame
from facekit.workflows.sources import (
    crop_source,
    listed_attributes,
    listed_ids,
    tell_left_out,
    without,
)

FRAME = FaceFrame(side=24)


@pytest.fixture
def celeba(cartoon_celeba: Path, tmp_path: Path) -> Path:
    """A copy of the cartoon CelebA that may be damaged."""
    return Path(shutil.copytree(cartoon_celeba, tmp_path / "celeba"))


@pytest.fixture
def names(celeba: Path) -> Callable[[str], list[str]]:
    """Image names of a split."""
    parts = read_partitions(celeba / "list_eval_partition.txt")
    return lambda split: [name for name, part in parts.items() if part == split]


def write(path: Path, *ids: str) -> Path:
    path.write_text("\n".join(["id", *ids]) + "\n")
    return path


def test_a_list_may_name_any_split(cartoon_fer: Path, tmp_path: Path) -> None:
    table = open_classes("fer", cartoon_fer)
    listed = write(tmp_path / "out.csv", "train/sad/3.png", "test/sad/8.png")
    assert listed_ids(table, listed) == {"train/sad/3.png", "test/sad/8.png"}
    test = open_classes("fer", cartoon_fer, splits=("test",))  # a part of the data
    assert listed_ids(test, listed) == {"test/sad/8.png"}
    write(listed, "test/sad/08.png")
    with pytest.raises(DataError, match=r"mean 'test/sad/8\.png'"):
        listed_ids(table, listed)
    assert listed_ids(table, write(listed)) == frozenset()  # an audit that found nothing


def test_what_does_not_count_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    tell_left_out("fer", 1200, 0)
    assert capsys.readouterr().err == ""
    tell_left_out("fer", 1200, 3, 197)
    told = "fer: 1,200 images, 3 are on the list and 197 have no usable label: left out\n"
    assert capsys.readouterr().err == told


def test_a_list_may_name_other_splits_of_celeba_alone(
    celeba: Path, names: Callable[[str], list[str]], tmp_path: Path
) -> None:
    """Their images need not be there."""
    for name in names("test"):
        (celeba / "img_align_celeba" / name).unlink()
    table = open_attributes("celeba", celeba, ("train", "val"))
    listed = tmp_path / "out.csv"
    assert listed_attributes(table, celeba, "celeba", None) == frozenset()
    write(listed, names("test")[0], names("val")[0])
    assert listed_attributes(table, celeba, "celeba", listed) == {names("val")[0]}
    write(listed, names("test")[0])
    assert listed_attributes(table, celeba, "celeba", listed) == frozenset()
    write(listed, "000000.jpg")
    with pytest.raises(DataError, match=r"not in cartoon, such as '000000\.jpg'"):
        listed_attributes(table, celeba, "celeba", listed)
    write(listed, names("test")[0])
    with pytest.raises(DataError, match="not in cartoon"):  # TFDS names images its own way
        listed_attributes(table, celeba, "tfds", listed)


def test_rows_go_and_crops_stay(
    celeba: Path, names: Callable[[str], list[str]], tmp_path: Path
) -> None:
    table = open_attributes("celeba", celeba, ("val",))
    source = crop_source(table, FRAME, progress=False)
    assert without(source, frozenset()) is source
    first, second, *rest = names("val")
    found = without(source, frozenset({second, "elsewhere.jpg"}))
    assert found.table.ids.tolist() == [first, *rest]
    assert found.rows.tolist() == [0, 2, 3, 4] and found.places("val").tolist() == [0, 2, 3, 4]
    assert found.cache is source.cache
    with pytest.raises(DataError, match="nothing of cartoon is left: all 5 images are listed"):
        without(source, frozenset(names("val")))


def test_a_listed_picture_may_be_broken(
    celeba: Path, names: Callable[[str], list[str]], tmp_path: Path, tiny_bundle: Path
) -> None:
    """The audit lists what cannot be decoded: whoever takes its list needs no more."""
    broken, other, *_ = names("test")
    for name in (broken, other):
        path = celeba / "img_align_celeba" / name
        path.write_bytes(path.read_bytes()[:40])
    table = open_attributes("celeba", celeba, ("test",))
    with pytest.raises(DataError, match=rf"1 of 5 images cannot be used \({other}"):
        crop_source(table, FRAME, excluded=frozenset({broken}), progress=False)
    both = frozenset({broken, other})
    assert len(crop_source(table, FRAME, excluded=both, progress=False).table) == 3
    listed = write(tmp_path / "out.csv", broken, other)
    assert facekit.evaluate("celeba", celeba, model=tiny_bundle, exclude=listed).n == 3


def test_evaluate_celeba_leaves_out_what_is_listed(
    celeba: Path, names: Callable[[str], list[str]], tmp_path: Path, tiny_bundle: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    first, *_ = names("test")
    listed = write(tmp_path / "out.csv", first, names("train")[0])
    found = facekit.evaluate("celeba", celeba, model=tiny_bundle, exclude=str(listed))
    assert (
        found.n == 4 and "celeba: 5 images, 1 are on the list: left out" in capsys.readouterr().err
    )
    whole = facekit.evaluate("celeba", celeba, model=tiny_bundle)
    assert whole.n == 5 and whole.metrics != found.metrics
    write(listed, *names("test"))
    with pytest.raises(DataError, match="nothing of cartoon is left"):
        facekit.evaluate("celeba", celeba, model=tiny_bundle, exclude=listed)
