"""Classes to learn: what is learned from, what is chosen by, what belongs together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facekit.datasets.sources import open_classes
from facekit.errors import DataError
from facekit.frame import FaceFrame
from facekit.recipe.transfer import TransferDataSpec
from facekit.workflows.transfer import data as class_data
from facekit.workflows.transfer.data import ClassData, class_weights, crop_classes, row_weights

FRAME = FaceFrame(side=40)
Open = Callable[..., ClassData]


def paint(path: Path, seed: int) -> None:
    """A picture like no other: soft blots."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blots = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(blots, (48, 48), interpolation=cv2.INTER_CUBIC))


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Ten pictures of each of two classes; the last two of each are of one person."""
    folder = tmp_path / "faces"
    for k, name in enumerate(("with", "without")):
        for i in range(10):
            person = f"p{min(i, 8)}{name}__" if i >= 8 else ""
            paint(folder / name / f"{person}{i}.png", 100 * k + i)
    return folder


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Opens class folders, cropped as aligned faces."""

    def open_it(
        folder: Path,
        excluded: frozenset[str] = frozenset(),
        cross_validated: bool = True,
        allow_missing: bool = False,
        seed: int = 0,
        **spec: Any,
    ) -> ClassData:
        return crop_classes(
            open_classes("folder", folder, aligned="fer"),
            FRAME,
            TransferDataSpec(source="folder", **spec),
            excluded=excluded,
            cross_validated=cross_validated,
            allow_missing=allow_missing,
            seed=seed,
        )

    return open_it


def sizes(data: ClassData) -> tuple[int, int, int]:
    return len(data.train), len(data.val), len(data.test)


def test_few_are_cross_validated_and_nobody_is_on_both_sides(faces: Path, opened: Open) -> None:
    (faces / "with" / "copy.png").write_bytes((faces / "with" / "3.png").read_bytes())
    other = cv2.imread(str(faces / "without" / "4.png"))
    assert other is not None
    assert cv2.imwrite(str(faces / "with" / "lighter.png"), cv2.add(other, (9, 9, 9, 0)))
    data = opened(faces)
    assert sizes(data) == (22, 0, 0) and data.names == ("with", "without")
    assert data.crops.shape == (22, 40, 40, 3)
    group = dict(zip(data.source.cache.ids.tolist(), data.groups.tolist(), strict=True))
    assert group["with/p8with__8.png"] == group["with/p8with__9.png"]
    assert group["with/copy.png"] == group["with/3.png"]
    assert group["with/lighter.png"] == group["without/4.png"]
    assert len(set(group.values())) == 22 - 4
    labels = [data.names[i] for i in data.labels]
    assert labels == [name.split("/")[0] for name in data.source.cache.ids]
    assert np.array_equal(data.shares.argmax(1), data.labels) and (data.shares.sum(1) == 1).all()


def test_copies_are_looked_for_once(
    faces: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facekit.photos import copies as duplicates

    (faces / "with" / "copy.png").write_bytes((faces / "with" / "3.png").read_bytes())
    first = opened(faces)
    monkeypatch.setattr(duplicates, "near_groups", None)
    assert np.array_equal(opened(faces).groups, first.groups)
    paint(faces / "with" / "new.png", 999)  # another cache: they are looked for again
    with pytest.raises(TypeError):
        opened(faces)


def twins(folder: Path) -> dict[str, str]:
    """Twelve pictures of each of two classes and a changed copy of each: id -> its picture."""
    of = {}
    for k, name in enumerate(("with", "without")):
        for i in range(12):
            paint(folder / name / f"{i}.png", 100 * k + i)
            rgb = cv2.imread(str(folder / name / f"{i}.png"))
            assert rgb is not None
            changed = (
                cv2.add(rgb, (12, 12, 12, 0)),
                cv2.flip(rgb, 1),
                cv2.resize(cv2.resize(rgb, (40, 40)), (48, 48)),
            )[i % 3]
            assert cv2.imwrite(str(folder / name / f"again{i}.png"), changed)
            of[f"{name}/{i}.png"] = of[f"{name}/again{i}.png"] = f"{name}/{i}"
    return of


@pytest.mark.parametrize("validation", ["holdout", "auto"])
def test_near_copies_are_on_one_side_of_what_is_held_out(
    tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch, validation: str
) -> None:
    of = twins(tmp_path / "faces")
    monkeypatch.setattr(class_data, "SMALL", 20)
    for seed in range(6):
        data = opened(tmp_path / "faces", validation=validation, holdout=0.3, seed=seed)
        ids = data.source.cache.ids
        learned, held = ({of[name] for name in ids[rows]} for rows in (data.train, data.val))
        assert len(held) == len(data.val) / 2 >= 6 and not learned & held


def test_near_copies_are_in_one_fold(tmp_path: Path, opened: Open) -> None:
    from facekit.workflows.transfer.fits import _folds

    of = twins(tmp_path / "faces")
    data = opened(tmp_path / "faces")
    assert len(data.val) == 0
    for seed in range(6):
        labels, groups = data.labels[data.train], data.groups[data.train]
        folds = _folds(labels, groups, data.names, seed)
        of_picture: dict[str, set[int]] = {}
        for name, fold in zip(data.source.cache.ids[data.train], folds.tolist(), strict=True):
            of_picture.setdefault(of[name], set()).add(fold)
        assert {len(found) for found in of_picture.values()} == {1}
        assert len(np.unique(folds)) == 5


def test_copies_count_once_in_splits_that_are_given(tmp_path: Path, opened: Open) -> None:
    """Nothing is moved, and copies of a picture make one group where they are measured."""
    of = twins(tmp_path / "all")
    for name in of:
        number = int(Path(name).stem.removeprefix("again"))
        part = "train" if number < 6 else "val" if number < 9 else "test"
        (tmp_path / "faces" / part / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "all" / name).rename(tmp_path / "faces" / part / name)
    paint(tmp_path / "all" / "lone.png", 0)  # as train/with/0.png, and in another split
    (tmp_path / "all" / "lone.png").rename(tmp_path / "faces" / "test" / "with" / "lone.png")
    data = opened(tmp_path / "faces")
    assert sizes(data) == (24, 12, 13)
    assert [len(np.unique(data.groups[rows])) for rows in (data.val, data.test)] == [6, 7]
    assert len(np.unique(data.groups[data.train])) == 24  # not looked at: nothing hangs on them
    tested = opened(tmp_path / "faces", validation="test")
    assert sizes(tested) == (24, 25, 0) and len(np.unique(tested.groups[tested.val])) == 13


def test_many_have_a_share_held_out(
    faces: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_data, "SMALL", 20)
    data = opened(faces, holdout=0.2)
    assert sizes(data) == (16, 4, 0)
    assert sorted(data.labels[data.val].tolist()) == [0, 0, 1, 1]
    assert not set(data.groups[data.val]) & set(data.groups[data.train])
    assert np.array_equal(opened(faces, holdout=0.2).val, data.val)


def test_a_share_of_few_is_held_out_where_it_is_wanted(faces: Path, opened: Open) -> None:
    assert sizes(opened(faces, validation="holdout", holdout=0.2)) == (16, 4, 0)
    assert sizes(opened(faces, cross_validated=False, holdout=0.2)) == (16, 4, 0)


def split(faces: Path) -> Path:
    """The same with train/ of seven each, val/ of one, test/ of two."""
    for name in ("with", "without"):
        for i, path in enumerate(sorted((faces / name).iterdir())):
            part = "train" if i < 7 else "val" if i < 8 else "test"
            (faces / part / name).mkdir(parents=True, exist_ok=True)
            path.rename(faces / part / name / path.name)
        (faces / name).rmdir()
    return faces


def test_the_sources_own_splits(faces: Path, opened: Open) -> None:
    split(faces)
    data = opened(faces)
    assert sizes(data) == (14, 2, 4)
    ids = data.source.cache.ids
    assert all(name.startswith("val/") for name in ids[data.val])
    assert all(name.startswith("test/") for name in ids[data.test])
    held = opened(faces, validation="holdout", holdout=0.25)
    assert sizes(held) == (12, 4, 4)
    assert {name.split("/")[0] for name in ids[held.train]} == {"train", "val"}
    tested = opened(faces, validation="test")
    assert sizes(tested) == (14, 6, 0)
    assert {name.split("/")[0] for name in ids[tested.val]} == {"val", "test"}


def test_validation_on_a_test_that_is_not_there(faces: Path, opened: Open) -> None:
    with pytest.raises(DataError, match="no test images"):
        opened(faces, validation="test")


def test_the_list_of_what_to_leave_out_makes_no_second_cache(faces: Path, opened: Open) -> None:
    split(faces)
    gone = frozenset({"train/with/2.png", "val/without/7.png", "test/with/p8with__8.png"})
    whole, data = opened(faces), opened(faces, gone)
    assert data.source.cache.folder == whole.source.cache.folder
    assert sizes(data) == (13, 1, 3)
    used = np.concatenate([data.train, data.val, data.test])
    assert not gone & set(data.source.cache.ids[used].tolist())
    assert (data.shares[data.labels < 0] == 0).all()


def test_a_class_that_is_lost_on_the_way_is_named(faces: Path, opened: Open) -> None:
    for i in range(2):
        (faces / "worn").mkdir(exist_ok=True)
        (faces / "worn" / f"{i}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match=r"2 of 22 images cannot be used.*--allow-missing"):
        opened(faces)
    line = r"none of the 2 training images of class 'worn' is left \(worn/0\.png: "
    with pytest.raises(DataError, match=line):
        opened(faces, allow_missing=True)
    for path in (faces / "worn").iterdir():
        paint(path, int(path.stem))
    listed = frozenset({"worn/0.png", "worn/1.png"})
    with pytest.raises(DataError, match=line + "is on the list to leave out"):
        opened(faces, listed)


def test_what_is_listed_may_be_broken(faces: Path, opened: Open) -> None:
    (faces / "with" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match=r"1 of 21 images cannot be used"):
        opened(faces)
    data = opened(faces, frozenset({"with/broken.png"}))
    assert sizes(data) == (20, 0, 0) and len(data.source.cache.ids) == 21


@pytest.mark.parametrize("part", ["test", "val"])
def test_a_class_that_is_only_measured_on_is_refused(faces: Path, opened: Open, part: str) -> None:
    """Its bundle would answer a class that nobody has taught."""
    split(faces)
    paint(faces / part / "never" / "0.png", 900)
    with pytest.raises(DataError, match=rf"'never' has 1 images .*{part}/never/0\.png.* none to"):
        opened(faces)
    if part == "val":  # learned from where a share is held out
        paint(faces / part / "never" / "1.png", 901)
        assert "never" in opened(faces, validation="holdout", holdout=0.2).names


def test_an_emotion_that_nobody_taught_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k, name in enumerate(("happy", "sad")):
        for i in range(3):
            paint(tmp_path / "train" / name / f"{i}.png", 10 * k + i)
    crop_classes(open_classes("fer", tmp_path), FRAME, TransferDataSpec())
    assert "no training image of angry, disgust, fear" in capsys.readouterr().err


def test_pictures_under_two_labels_are_counted(
    faces: Path, opened: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(faces)
    assert "different labels" not in capsys.readouterr().err
    for i in (1, 4):
        (faces / "with" / f"again{i}.png").write_bytes(
            (faces / "without" / f"{i}.png").read_bytes()
        )
    changed = cv2.imread(str(faces / "without" / "4.png"))
    assert changed is not None
    assert cv2.imwrite(str(faces / "with" / "lighter.png"), cv2.add(changed, (9, 9, 9, 0)))
    opened(faces)
    told = capsys.readouterr().err
    assert "5 images show the same picture under different labels" in told
    assert "with/again1.png and without/1.png" in told
    opened(faces, excluded=frozenset({"with/again1.png", "with/again4.png", "with/lighter.png"}))
    assert "different labels" not in capsys.readouterr().err


def test_one_class_is_not_enough(faces: Path, opened: Open) -> None:
    split(faces)
    for path in (faces / "train" / "without").iterdir():
        path.rename(faces / "test" / "without" / path.name)
    with pytest.raises(DataError, match=r"training images of 1 class\(es\)"):
        opened(faces)


def test_too_few_to_hold_any_out(tmp_path: Path, opened: Open) -> None:
    for i, name in enumerate(("a", "b")):
        paint(tmp_path / "two" / name / "0.png", i)
    assert sizes(opened(tmp_path / "two")) == (2, 0, 0)
    with pytest.raises(DataError, match="too few images to hold any out"):
        opened(tmp_path / "two", cross_validated=False)


def fer(tmp_path: Path) -> Path:
    """Two classes of train/ and test/, with votes for some."""
    rows = ["file,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"]
    votes = ["0,8,0,2,0,0,0,0,0,0", "0,0,0,10,0,0,0,0,0,0", "0,0,0,0,0,0,0,9,1,0"]
    for k, name in enumerate(("happy", "sad")):
        for i in range(3):
            paint(tmp_path / "fer" / "train" / name / f"{i}.png", 10 * k + i)
            rows.append(f"train/{name}/{i}.png,{votes[i]}")
    (tmp_path / "fer" / "ferplus_votes.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "fer"


@pytest.mark.parametrize("votes", [0.0, 0.5, 1.0])
def test_votes_are_mixed_into_what_is_learned(tmp_path: Path, votes: float) -> None:
    table = open_classes("fer", fer(tmp_path), votes=True)
    spec = TransferDataSpec(votes=votes)
    data = crop_classes(table, FRAME, spec)
    happy, sad = table.label_names.index("happy"), table.label_names.index("sad")
    assert data.labels.tolist() == [happy] * 3 + [sad] * 3  # measured is the label itself
    assert data.shares[0, [happy, sad]] == pytest.approx([1 - votes / 5, votes / 5])
    assert data.shares[3, [happy, sad]] == pytest.approx([votes * 0.8, 1 - votes * 0.8])
    assert data.shares[2, happy] == 1  # nobody voted for one of the seven
    assert data.shares.sum(1) == pytest.approx(np.ones(6))


def test_what_has_no_usable_label_teaches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = open_classes("fer", fer(tmp_path), labels="ferplus")
    assert table.labels.tolist()[2] == -1
    monkeypatch.setattr(class_data, "SMALL", 5)  # six images, four of them usable
    data = crop_classes(table, FRAME, TransferDataSpec(votes=1.0))
    assert data.train.tolist() == [0, 1, 3, 4] and len(data.val) == 0
    assert (data.shares[[2, 5]] == 0).all()


def test_class_weights_make_every_class_count_the_same() -> None:
    labels = np.array([0] * 6 + [2] * 2)
    weights = class_weights(labels, 4)
    assert weights.tolist() == pytest.approx([8 / 12, 0, 2, 0])
    assert weights[labels].mean() == pytest.approx(1)


def test_rows_are_weighted_where_the_recipe_says_so(faces: Path, opened: Open) -> None:
    for path in sorted((faces / "with").iterdir())[:6]:
        path.unlink()
    data = opened(faces)
    assert row_weights(data, "sampling") is data
    shares = row_weights(data, "weights").shares[data.train]
    assert shares.sum(0) == pytest.approx([7, 7])
