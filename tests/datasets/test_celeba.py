"""CelebA folders: layouts, splits, and what happens when images are missing."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facekit.datasets.celeba import read_celeba
from facekit.errors import DataError, UsageError
from facekit.labels import ATTRIBUTES, attribute_index

ALL = ("train", "val", "test")


@pytest.fixture
def folder(cartoon_celeba: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(cartoon_celeba, tmp_path / "celeba"))


def to_kaggle(folder: Path) -> None:
    """Turn the official layout into that of the Kaggle copy."""
    images = folder / "img_align_celeba"
    images.rename(folder / "inner")
    images.mkdir()
    (folder / "inner").rename(images / "img_align_celeba")
    lines = (folder / "list_attr_celeba.txt").read_text().splitlines()
    rows = [["image_id", *lines[1].split()], *(line.split() for line in lines[2:])]
    text = "\n".join(",".join(row) for row in rows)
    (folder / "list_attr_celeba.csv").write_text(text + "\n")
    lines = (folder / "list_eval_partition.txt").read_text().splitlines()
    rows = [["image_id", "partition"], *(line.split() for line in lines)]
    text = "\n".join(",".join(row) for row in rows)
    (folder / "list_eval_partition.csv").write_text(text + "\n")
    for path in folder.glob("*.txt"):
        path.unlink()


def of_split(folder: Path, split: str) -> list[Path]:
    code = str(ALL.index(split))
    rows = [r.split() for r in (folder / "list_eval_partition.txt").read_text().splitlines()]
    return [folder / "img_align_celeba" / name for name, part in rows if part == code]


def test_official_layout(cartoon_celeba: Path) -> None:
    table = read_celeba(cartoon_celeba)
    assert len(table) == 60
    assert (table.name, table.aligned) == ("cartoon", "celeba")
    assert table.labels.dtype == np.int8
    assert table.labels.shape == (60, 40)
    assert set(np.unique(table.labels)) == {0, 1}
    assert table.label_names == ATTRIBUTES
    assert {split: int((table.split == split).sum()) for split in ALL} == {
        "train": 50,
        "val": 5,
        "test": 5,
    }
    assert table.person is not None
    assert len(set(table.person)) == 12
    assert [path.name for path in table.images] == table.ids.tolist()
    assert table.issues.blocking == 0
    assert table.issues.unlisted == ()


def test_kaggle_layout_gives_the_same_without_people(folder: Path, cartoon_celeba: Path) -> None:
    to_kaggle(folder)
    table, official = read_celeba(folder), read_celeba(cartoon_celeba)
    assert table.person is None
    assert (table.ids == official.ids).all()
    assert (table.labels == official.labels).all()
    assert (table.split == official.split).all()
    assert all(Path(path).is_file() for path in table.images)


def test_folders_of_the_official_download(folder: Path) -> None:
    for place, names in {
        "Anno": ("list_attr_celeba.txt", "identity_CelebA.txt"),
        "Eval": ("list_eval_partition.txt",),
        "Img": ("img_align_celeba",),
    }.items():
        (folder / place).mkdir()
        for name in names:
            (folder / name).rename(folder / place / name)
    assert len(read_celeba(folder)) == 60


@pytest.mark.parametrize("kaggle", [False, True])
def test_columns_are_matched_by_name(folder: Path, kaggle: bool) -> None:
    expected = read_celeba(folder).labels
    if kaggle:
        to_kaggle(folder)
    path = folder / f"list_attr_celeba.{'csv' if kaggle else 'txt'}"
    mark = "," if kaggle else None
    lines = path.read_text().splitlines()
    first, head = ([], lines[0].split(mark)) if kaggle else (lines[:1], lines[1].split(mark))
    order = [0, *(1 + np.random.default_rng(0).permutation(40)).tolist()]
    head = head if kaggle else ["name", *head]
    rows = [head, *(line.split(mark) for line in lines[1 if kaggle else 2 :])]
    joined = [("," if kaggle else " ").join(row[i] for i in order) for row in rows]
    if not kaggle:
        joined[0] = joined[0].removeprefix("name ")
    path.write_text("\n".join([*first, *joined]) + "\n")
    assert (read_celeba(folder).labels == expected).all()


def test_without_partitions_people_are_split(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "list_eval_partition.txt").unlink()
    with caplog.at_level(logging.WARNING):
        table = read_celeba(folder)
    assert "80/10/10 by person" in caplog.text
    assert table.person is not None
    for person in set(table.person):
        assert len(set(table.split[table.person == person])) == 1
    lines = (folder / "identity_CelebA.txt").read_text().splitlines()
    attributes = (folder / "list_attr_celeba.txt").read_text().splitlines()
    half = {line.split()[0] for line in lines[::2]}
    kept = [line for line in attributes[2:] if line.split()[0] in half]
    (folder / "list_attr_celeba.txt").write_text(
        "\n".join([str(len(kept)), attributes[1], *kept]) + "\n"
    )
    before = dict(zip(table.ids.tolist(), table.split.tolist(), strict=True))
    fewer = read_celeba(folder)
    assert len(fewer) == 30
    assert [before[name] for name in fewer.ids.tolist()] == fewer.split.tolist()


def test_hashed_shares_are_about_80_10_10(folder: Path) -> None:
    lines = (folder / "list_attr_celeba.txt").read_text().splitlines()
    values = lines[2].split(maxsplit=1)[1]
    source = next((folder / "img_align_celeba").iterdir())
    many = [f"x{i}.jpg" for i in range(1500)]
    for name in many:
        (folder / "img_align_celeba" / name).hardlink_to(source)
    (folder / "list_attr_celeba.txt").write_text(
        "\n".join(["1500", lines[1], *(f"{name} {values}" for name in many)])
    )
    (folder / "list_eval_partition.txt").unlink()
    (folder / "identity_CelebA.txt").unlink()
    split = read_celeba(folder).split
    shares = [(split == name).mean() for name in ALL]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.03)


def test_without_identities(folder: Path) -> None:
    (folder / "identity_CelebA.txt").unlink()
    assert read_celeba(folder).person is None


def test_people_unknown_to_the_identity_list_are_people_of_their_own(folder: Path) -> None:
    path = folder / "identity_CelebA.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[2:]) + "\n")
    person = read_celeba(folder).person
    assert person is not None
    lost = [line.split()[0] for line in lines[:2]]
    assert len(set(person[:2]) | set(person[2:])) == 14
    assert all(name in text for name, text in zip(lost, person[:2], strict=True))


def test_other_splits_are_neither_required_nor_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test_images = of_split(folder, "test")
    test_images[0].unlink()
    test_images[1].write_bytes(b"")
    opened: list[Path] = []

    def spy(path: Path) -> bool:
        opened.append(path)
        return True

    monkeypatch.setattr("facekit.datasets.celeba._looks_like_picture", spy)
    table = read_celeba(folder, splits=("train", "val"))
    assert set(table.split) == {"train", "val"}
    assert len(opened) == len(table) == 55
    assert not set(opened) & set(test_images)


def test_a_folder_with_one_partition_is_enough(folder: Path) -> None:
    for split in ("train", "val"):
        for path in of_split(folder, split):
            path.unlink()
    table = read_celeba(folder, splits=("test",))
    assert len(table) == 5
    with pytest.raises(DataError, match=r"55 of 55 images cannot be used: 55 missing"):
        read_celeba(folder, splits=("train", "val"))


def test_a_split_that_nothing_is_in(folder: Path) -> None:
    path = folder / "list_eval_partition.txt"
    path.write_text(path.read_text().replace(" 2\n", " 1\n"))
    with pytest.raises(DataError, match="none of its 60 listed images is in test"):
        read_celeba(folder, splits=("test",))


def damage(folder: Path) -> dict[str, list[str]]:
    """Two missing, five unreadable in different ways, one unlisted, one no image."""
    train = of_split(folder, "train")
    for path in train[:2]:
        path.unlink()
    train[2].write_bytes(b"")
    train[3].write_bytes(b"<html>quota exceeded</html>")
    train[4].write_bytes(b"\xff")
    train[5].unlink()
    train[5].mkdir()
    train[6].unlink()
    train[6].symlink_to(folder / "nowhere")
    shutil.copy(train[7], folder / "img_align_celeba" / "extra.JPG")
    (folder / "img_align_celeba" / "Thumbs.db").write_bytes(b"x")
    return {
        "missing": [path.name for path in train[:2]],
        "unreadable": [path.name for path in train[2:7]],
        "unlisted": ["extra.JPG"],
    }


def test_faults_are_refused_in_one_line_with_counts_and_examples(folder: Path) -> None:
    faults = damage(folder)
    with pytest.raises(DataError) as caught:
        read_celeba(folder)
    text = str(caught.value)
    assert "\n" not in text
    assert "7 of 60 images cannot be used: 2 missing" in text
    assert "5 unreadable" in text
    assert faults["missing"][0] in text
    assert faults["unreadable"][0] in text
    assert "--allow-missing" in text


def test_faults_are_left_out_when_allowed(folder: Path) -> None:
    faults = damage(folder)
    table = read_celeba(folder, allow_missing=True)
    assert len(table) == 53
    assert not set(table.ids) & {*faults["missing"], *faults["unreadable"]}
    assert sorted(table.issues.missing) == sorted(faults["missing"])
    assert sorted(table.issues.unreadable) == sorted(faults["unreadable"])
    assert list(table.issues.unlisted) == faults["unlisted"]


def test_unlisted_images_alone_are_no_reason_to_refuse(folder: Path) -> None:
    shutil.copy(of_split(folder, "val")[0], folder / "img_align_celeba" / "extra.jpg")
    assert read_celeba(folder).issues.unlisted == ("extra.jpg",)


def test_nothing_left(folder: Path) -> None:
    for path in (folder / "img_align_celeba").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="no usable image"):
        read_celeba(folder, allow_missing=True)


def test_images_in_no_partition(folder: Path) -> None:
    path = folder / "list_eval_partition.txt"
    path.write_text("\n".join(path.read_text().splitlines()[3:]) + "\n")
    with pytest.raises(DataError, match=r"3 of 60 listed images are in no partition \(000001\.jpg"):
        read_celeba(folder)
    assert len(read_celeba(folder, allow_missing=True)) == 57


def without(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("list_attr_celeba.txt"), "neither list_attr_celeba.txt nor"),
        (lambda folder: shutil.rmtree(folder), "no such folder"),
        (lambda folder: shutil.rmtree(folder / "img_align_celeba"), "has no folder img_align"),
    ],
)
def test_a_folder_that_is_something_else(
    folder: Path, change: Callable[[Path], object], message: str
) -> None:
    change(folder)
    with pytest.raises(DataError, match=message):
        read_celeba(folder)


@pytest.mark.parametrize(
    ("images", "suffix"),
    [("img_align_celeba", ".png"), ("img_align_celeba_png", ".png"), ("img_align_celeba", ".JPG")],
)
def test_images_of_another_suffix_than_the_lists_say(
    folder: Path, capsys: pytest.CaptureFixture[str], images: str, suffix: str
) -> None:
    before = read_celeba(folder)
    (folder / "img_align_celeba").rename(folder / images)
    for path in (folder / images).iterdir():
        path.rename(path.with_suffix(suffix))
    (folder / images / "more.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    table = read_celeba(folder)
    assert table.ids.tolist() == before.ids.tolist() and table.issues.unlisted == ("more.png",)
    assert [path.suffix for path in table.images] == [suffix] * len(table)
    assert "60 images have another suffix" in capsys.readouterr().err


def test_several_files_for_one_listed_image_are_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = read_celeba(folder).images[0]
    for suffix in (".png", ".webp"):
        first.with_suffix(suffix).write_bytes(first.read_bytes())
    read_celeba(folder)
    assert "several files" not in capsys.readouterr().err  # its own is there
    first.unlink()
    assert read_celeba(folder).images[0] == first.with_suffix(".png")
    told = capsys.readouterr().err
    assert f"1 images have several files of other suffixes, such as {first.stem}.png and" in told


def test_identities_of_other_images_are_refused(folder: Path) -> None:
    path = folder / "identity_CelebA.txt"
    path.write_text(path.read_text().replace(".jpg", ""))
    with pytest.raises(DataError, match=r"identity_CelebA\.txt names none of the 60"):
        read_celeba(folder)


def test_a_packed_download_is_recognised(folder: Path) -> None:
    shutil.rmtree(folder / "img_align_celeba")
    (folder / "img_align_celeba.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="unpack"):
        read_celeba(folder)


@pytest.mark.parametrize("splits", [(), ("train", "valid")])
def test_names_that_are_no_split(cartoon_celeba: Path, splits: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="train, val, test"):
        read_celeba(cartoon_celeba, splits=splits)


@pytest.mark.real
def test_real_celeba(real_data: Path) -> None:
    table = read_celeba(real_data / "celeba")
    assert {split: int((table.split == split).sum()) for split in ALL} == {
        "train": 23_741,
        "val": 2_044,
        "test": 0,
    }
    assert table.person is not None
    train = set(table.person[table.split == "train"])
    assert not train & set(table.person[table.split == "val"])
    shares = table.labels.mean(0)
    # About what the whole of CelebA has (Smiling 48 %, Male 42 %, Bald 2 %); 7,762 photos
    # of 384 people are no random sample of it.
    assert shares[attribute_index("Smiling")] == pytest.approx(0.48, abs=0.02)
    assert shares[attribute_index("Male")] == pytest.approx(0.42, abs=0.03)
    assert shares[attribute_index("Bald")] == pytest.approx(0.02, abs=0.01)
