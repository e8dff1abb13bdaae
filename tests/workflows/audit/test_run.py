"""Planted faults are found, listed, shown and left out."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.datasets.fer import read_fer
from facekit.datasets.splits import leave_out, read_excluded
from facekit.errors import DataError, UsageError
from facekit.workflows.audit.findings import EXCLUDABLE, excluded_ids
from facekit.workflows.audit.run import CERTAIN as USUAL
from facekit.workflows.audit.run import Audit, audit

#: Mean colour of each class: what the tiny backbone can tell apart.
COLOURS = {"happy": (200, 90, 90), "sad": (90, 90, 200), "surprise": (90, 200, 90)}


def _picture(seed: int, emotion: str) -> np.ndarray:
    """Coarse and fine noise in the colour of a class: sharp, and like no other."""
    rng = np.random.default_rng([seed, *emotion.encode()])
    coarse = cv2.resize(rng.normal(0, 40, (6, 6)), (48, 48), interpolation=cv2.INTER_CUBIC)
    fine = cv2.resize(rng.normal(0, 25, (24, 24)), (48, 48), interpolation=cv2.INTER_LINEAR)
    colour = np.array(COLOURS[emotion]) + rng.normal(0, 6, 3)
    return np.clip((coarse + fine)[..., None] + colour, 0, 255).astype(np.uint8)


def _write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1])


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A FER-2013 of coloured noise without a fault; read only."""
    folder = tmp_path_factory.mktemp("audit") / "fer"
    for emotion in COLOURS:
        for i in range(16):
            split = "train" if i < 12 else "test"
            _write(folder / split / emotion / f"{i:02}.png", _picture(i, emotion))
    return folder


@pytest.fixture(scope="module")
def faulty(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with one fault of every kind; read only."""
    folder = Path(shutil.copytree(sound, tmp_path_factory.mktemp("faulty") / "fer"))
    train, test = folder / "train", folder / "test"
    shutil.copy(train / "happy/00.png", test / "happy/copy.png")
    shutil.copy(train / "sad/01.png", train / "surprise/conflict.png")
    changed = cv2.imread(str(train / "happy/02.png"))
    cv2.imwrite(str(test / "happy/changed.jpg"), changed, [cv2.IMWRITE_JPEG_QUALITY, 60])
    _write(test / "sad/mirrored.png", _picture(3, "happy")[:, ::-1])
    _write(train / "sad/blank.png", np.full((48, 48, 3), 7, np.uint8))
    _write(train / "sad/blurred.png", cv2.GaussianBlur(_picture(70, "sad"), (0, 0), 5))
    _write(train / "sad/tiny.png", cv2.resize(_picture(71, "sad"), (24, 30)))
    _write(train / "sad/wrong.png", _picture(72, "surprise"))
    cut = train / "sad/cut.png"
    cut.write_bytes((train / "sad/00.png").read_bytes()[:200])
    return folder


@pytest.fixture(scope="module")
def look(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Audit]:
    """Audit into a fresh folder."""

    def run(data: Path | None, dataset: str = "fer", **options: object) -> Audit:
        options.setdefault("out", tmp_path_factory.mktemp("out") / "audit")
        return audit(dataset, data, model=tiny_bundle, **options)

    return run


@pytest.fixture(scope="module")
def done(look: Callable[..., Audit], faulty: Path) -> Audit:
    return look(faulty)


def _of(found: Audit, kind: str) -> list[str]:
    return sorted(one.id for one in found.findings if one.finding == kind)


def test_every_planted_fault_is_found_and_nothing_else(done: Audit) -> None:
    assert _of(done, "broken") == ["train/sad/cut.png"]
    assert _of(done, "blank") == ["train/sad/blank.png"]
    assert _of(done, "blurred") == ["train/sad/blurred.png"]
    assert _of(done, "tiny") == ["train/sad/tiny.png"]
    assert _of(done, "exact_copy") == [
        "test/happy/copy.png", "train/happy/00.png",
        "train/sad/01.png", "train/surprise/conflict.png",
    ]  # fmt: skip
    assert _of(done, "near_copy") == [
        "test/happy/changed.jpg", "test/sad/mirrored.png",
        "train/happy/02.png", "train/happy/03.png",
    ]  # fmt: skip
    assert _of(done, "exact_overlap") == ["test/happy/copy.png"]
    assert _of(done, "near_overlap") == ["test/happy/changed.jpg", "test/sad/mirrored.png"]
    assert _of(done, "exact_conflict") == ["train/sad/01.png", "train/surprise/conflict.png"]
    assert _of(done, "near_conflict") == ["test/sad/mirrored.png", "train/happy/03.png"]
    assert "train/sad/wrong.png" in _of(done, "suspect")


def test_findings_say_what_was_seen(done: Audit) -> None:
    by = {(one.id, one.finding): one for one in done.findings}
    assert by["test/happy/copy.png", "exact_overlap"].detail == "is train/happy/00.png"
    assert "train/happy/02.png" in by["test/happy/changed.jpg", "near_copy"].detail
    assert by["test/sad/mirrored.png", "near_copy"].detail.endswith("mirrored)")
    assert by["train/sad/01.png", "exact_conflict"].detail == "sad 1, surprise 1"
    assert by["train/sad/tiny.png", "tiny"].detail == "24 x 30"
    assert by["train/sad/wrong.png", "suspect"].detail.startswith("looks surprise 0.")
    one, other = (by[f"train/{i}.png", "exact_copy"] for i in ("sad/01", "surprise/conflict"))
    assert one.group == other.group > 0
    assert (one.label, other.label) == ("sad", "surprise")


def test_the_record_counts(done: Audit) -> None:
    record = done.record
    assert (record["task"], record["dataset"], record["n"]) == ("audit", "fer", 57)
    assert record["splits"] == {"train": 42, "test": 15}
    assert record["findings"]["exact_copy"] == {"all": 4, "train": 3, "test": 1}
    assert record["findings"]["person_conflict"] == {"all": 0}
    assert record["groups"] == {"exact": 2, "exact_conflict": 1, "any": 4, "any_conflict": 2}
    assert record["cross_validated_accuracy"] > 0.8
    rows = {one["pictures"]: one for one in record["probe"]}
    assert [rows[name]["n"] for name in ("all", "no exact copy", "no copy", "copies")] == [
        15, 14, 12, 3,
    ]  # fmt: skip
    train = next(one for one in record["counts"] if one["what"] == "train")
    assert train == {"what": "train", "found": 42, "expected": [28709], "agrees": False}


def test_files_hold_the_same(done: Audit) -> None:
    text = (done.folder / "findings.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert list(rows[0]) == ["id", "split", "label", "finding", "detail", "group"]
    assert len(rows) == len(done.findings)
    assert json.loads((done.folder / "audit.json").read_text("utf-8")) == done.record
    page = (done.folder / "audit.html").read_text("utf-8")
    for title in ("In two splits", "One picture, several labels", "Labels likely wrong", "tiny"):
        assert title in page
    assert sorted(path.name for path in done.folder.iterdir()) == [
        "audit.html", "audit.json", "findings.csv",
    ]  # fmt: skip


def test_a_sound_data_set_has_no_findings_but_counts(
    look: Callable[..., Audit], sound: Path
) -> None:
    found = look(sound)
    assert [one for one in found.findings if one.finding != "suspect"] == []
    assert found.excluded == ()
    page = (found.folder / "audit.html").read_text("utf-8")
    assert "In two splits" not in page and "What copies are worth" in page


CERTAIN = {"test/happy/copy.png", "train/sad/01.png", "train/surprise/conflict.png",
           "train/sad/blank.png", "train/sad/cut.png"}  # fmt: skip


@pytest.mark.parametrize(
    ("choices", "wanted"),
    [
        (["duplicates", "conflicts", "broken"], CERTAIN),
        (["duplicates"], {"test/happy/copy.png"}),
        (["broken"], {"train/sad/blank.png", "train/sad/cut.png"}),
        (
            ["near-duplicates", "near-conflicts"],
            {"test/happy/changed.jpg", "test/sad/mirrored.png", "train/happy/03.png"},
        ),
        ([], set()),
    ],
)
def test_the_list_holds_what_was_asked(
    done: Audit, faulty: Path, choices: list[str], wanted: set[str]
) -> None:
    table = read_fer(faulty)
    ids = excluded_ids(done.findings, choices, table)
    assert set(ids) == wanted and len(ids) == len(wanted)
    assert ids == [name for name in table.ids if name in wanted]


def test_nothing_that_is_a_guess_is_left_out_unasked() -> None:
    assert set(USUAL) < set(EXCLUDABLE)
    assert "suspects" not in USUAL and not any(name.startswith("near") for name in USUAL)


def test_the_list_is_taken_by_training_and_evaluation(
    look: Callable[..., Audit], faulty: Path, tmp_path: Path
) -> None:
    found = look(faulty, exclude_out=tmp_path / "out.csv", keep="test")
    wanted = CERTAIN - {"test/happy/copy.png"} | {"train/happy/00.png"}
    assert set(found.excluded) == wanted
    ids = read_excluded(tmp_path / "out.csv")
    table = read_fer(faulty)
    assert ids == wanted and len(leave_out(table, ids)) == len(table) - len(wanted)
    assert found.record["exclude"] == {
        "findings": ["duplicates", "conflicts", "broken"], "keep": "test", "ids": 5,
    }  # fmt: skip


def test_a_data_set_of_attributes(
    look: Callable[..., Audit], cartoon_celeba: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(cartoon_celeba, tmp_path / "celeba"))
    images = folder / "img_align_celeba"
    first, second, third = sorted(path.name for path in images.iterdir())[:12:5]
    shutil.copy(images / first, images / second)  # another person, other attributes
    (images / third).write_bytes(b"")
    found = look(folder, "celeba")
    assert {first, second} <= set(_of(found, "exact_copy"))
    assert {first, second} <= set(_of(found, "exact_conflict"))
    assert {first, second} <= set(_of(found, "person_conflict"))
    assert _of(found, "broken") == [third]
    clash = next(one for one in found.findings if one.finding == "exact_conflict")
    assert clash.label == "" and clash.detail
    assert found.record["probe"] == []
    for one in found.findings:
        if one.finding == "suspect":
            assert one.label.endswith((" yes", " no"))


def test_anybodys_folder(
    look: Callable[..., Audit], sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facekit.workflows.audit import run as module

    photos = tmp_path / "photos"
    shutil.copytree(sound / "test" / "happy", photos / "yes")
    shutil.copytree(sound / "test" / "sad", photos / "no")
    shutil.copy(photos / "yes/12.png", photos / "no/again.png")
    read = module.open_classes  # there are no faces to detect here
    monkeypatch.setattr(module, "open_classes", lambda *a, **k: read(*a, **k, aligned="fer"))
    found = look(photos, "folder")
    assert _of(found, "exact_conflict") == ["no/again.png", "yes/12.png"]
    assert found.record["splits"] == {"train": 9}
    assert all(not one["expected"] for one in found.record["counts"])


def test_pictures_without_a_face_are_broken(
    look: Callable[..., Audit], sound: Path, tmp_path: Path
) -> None:
    for name in ("yes", "no"):
        (tmp_path / name).mkdir()
        shutil.copy(sound / "test/sad/12.png", tmp_path / name / "1.png")
    with pytest.raises(DataError, match="no face was found"):  # in none of them
        look(tmp_path, "folder")


@pytest.mark.parametrize(
    ("dataset", "options", "words"),
    [
        ("ferr", {}, "did you mean fer"),
        ("fer", {"exclude": ["duplicate"]}, "did you mean duplicates"),
        ("fer", {"keep": "val"}, "keep 'val' is not known"),
        ("fer", {"exclude_out": Path("no/such/folder/x.csv")}, "--exclude-out"),
        ("fer", {"people": Path("who.csv")}, "--people goes with folder, not with fer"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_work(
    look: Callable[..., Audit],
    sound: Path,
    tmp_path: Path,
    dataset: str,
    options: dict[str, object],
    words: str,
) -> None:
    out = tmp_path / "out"
    with pytest.raises(UsageError, match=words):
        look(sound, dataset, out=out, **options)
    with pytest.raises(UsageError, match="--data is missing"):
        look(None, out=out)
    assert not out.exists()
    out.write_text("mine")
    with pytest.raises(UsageError, match="is a file: name a folder"):
        look(sound, out=out)
    assert out.read_text() == "mine"
