"""``facekit.evaluate`` on emotions and on anybody's own classes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

import facekit
from facekit.bundle.write import write_bundle
from facekit.errors import BundleError, DataError, UsageError
from facekit.heads.kinds import LinearHead
from facekit.labels import EMOTIONS
from facekit.workflows.evaluate import run as workflow
from facekit.workflows.evaluate.answers import Answers, measure

if TYPE_CHECKING:
    from facekit.bundle.write import BundleContents

RED, BLUE = (200, 40, 40), (40, 40, 200)


def paint(path: Path, colour: tuple[int, int, int], seed: int = 0) -> None:
    """A noisy square of one colour, (red, green, blue)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, *path.name.encode()])
    rgb = np.clip(np.array(colour) + rng.integers(-9, 9, (48, 48, 3)), 0, 255).astype(np.uint8)
    assert cv2.imwrite(str(path), rgb[..., ::-1])


def head(labels: tuple[str, ...], **changes: object) -> LinearHead:
    """The second label is given to red crops, the first to blue ones, others never."""
    weight = np.zeros((3, len(labels)), np.float32)
    weight[:, :2] = [(-20, 20), (0, 0), (20, -20)]
    bias = np.where(np.arange(len(labels)) < 2, 0, -30).astype(np.float32)
    given = {"parts": ("pooled",), "labels": labels, "activation": "softmax"}
    return LinearHead(weight=weight, bias=bias, **{**given, **changes})  # type: ignore[arg-type]


@pytest.fixture
def emotions(tiny_bundle: Path, tmp_path: Path, add_head: Callable[..., None]) -> Path:
    """A bundle that says disgust to red and angry to blue."""
    folder = Path(shutil.copytree(tiny_bundle, tmp_path / "emotional"))
    add_head(folder, "emotions", head(EMOTIONS), metrics={"train_majority": "disgust"})
    return folder


@pytest.fixture
def fer(tmp_path: Path) -> Path:
    """test/ only: 6 red disgust, 4 angry of which one is red, 2 blue fear."""
    folder = tmp_path / "fer2013"
    for i in range(6):
        paint(folder / "test" / "Disgust" / f"{i}.png", RED, 1)
    for i in range(4):
        paint(folder / "test" / "anger" / f"{i}.png", RED if i == 3 else BLUE, 2)
    for i in range(2):
        paint(folder / "test" / "fear" / f"{i}.png", BLUE, 3)
    return folder


def test_a_folder_that_holds_only_test_is_enough(fer: Path, emotions: Path) -> None:
    found = facekit.evaluate("fer", fer, model=emotions)
    assert isinstance(found, facekit.ClassEvaluation)
    assert (found.task, found.dataset, found.split, found.n) == ("emotions", "fer", "test", 12)
    assert found.metrics["accuracy"] == pytest.approx(9 / 12)
    assert found.metrics["majority_accuracy"] == 0.5  # disgust, as the training data had it
    assert found.metrics["macro_recall"] == pytest.approx((0.75 + 1 + 0) / 3)
    assert tuple(found.per_class) == EMOTIONS
    assert found.per_class["happy"] == {
        "precision": None, "recall": None, "f1": None, "support": 0
    }  # fmt: skip
    assert found.confusion[0][:3] == [3, 1, 0] and found.confusion[2][:3] == [2, 0, 0]
    low, high = found.intervals["accuracy"] or (1, 0)
    assert low < 0.75 < high
    record = found.record()
    assert list(record) == [
        "task", "dataset", "split", "n", "model", "metrics", "intervals", "per_class", "confusion",
        "flips",
    ]  # fmt: skip
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    with pytest.raises(DataError, match="train"):
        facekit.evaluate("fer", fer, split="train", model=emotions)


def test_both_mirror_views_are_averaged_where_the_bundle_says_so(
    fer: Path, tiny_contents: BundleContents, tmp_path: Path
) -> None:
    """A head that only looks at the left half gives each half of a picture a say."""
    weight = np.zeros((4, 4, 3, 7), np.float32)
    weight[:, :2, 0, 1], weight[:, :2, 2, 0] = 1.0, 1.0
    halves = LinearHead(
        parts=("grid",), labels=EMOTIONS, activation="softmax",
        weight=weight.reshape(48, 7), bias=np.array([0, 0, -30, -30, -30, -30, -30.0]),
    )  # fmt: skip
    picture = np.zeros((48, 48, 3), np.uint8)
    picture[:, :24] = RED
    picture[:, 24:] = (0, 0, 255)  # the right half is bluer than the left is red
    (fer / "test" / "anger" / "halves.png").write_bytes(
        cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
    )
    hits = []
    for mirror in (False, True):
        contents = replace(tiny_contents, heads={"emotions": halves}, mirror=mirror)
        bundle = write_bundle(tmp_path / f"mirror-{mirror}", contents)
        found = facekit.evaluate("fer", fer, model=bundle.folder)
        hits.append(found.confusion[0][0])
    assert hits == [3, 4]


def test_ckplus_counts_people_and_leaves_contempt_out(
    emotions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for person in range(6):
        for frame in range(3):
            name = f"S{person:03d}_001_{frame:08d}.png"
            paint(tmp_path / "ck" / "disgust" / name, RED if person else BLUE)
            paint(tmp_path / "ck" / "contempt" / name.replace("_001_", "_002_"), BLUE)
    found = facekit.evaluate("ckplus", tmp_path / "ck", model=emotions)
    assert (found.n, found.task) == (18, "emotions")
    assert "36 images, 18 have no usable label: left out" in capsys.readouterr().err
    assert found.metrics["accuracy"] == pytest.approx(15 / 18)
    low, high = found.intervals["accuracy"] or (0, 0)
    assert high - low > 0.45  # six people, not 18 images
    assert sum(map(sum, found.confusion)) == 18


def test_votes_choose_the_label(
    fer: Path, emotions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["file,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"]
    for path in sorted(fer.rglob("*.png")):
        file = path.relative_to(fer).as_posix()
        votes = "0,0,0,0,9,1,0,0,0,0"  # anger
        if path.stem == "0":
            votes = "0,0,0,0,0,0,0,8,1,1"  # nothing of ours
        lines.append(f"{file},{votes}")
    (fer / "ferplus_votes.csv").write_text("\n".join(lines) + "\n")
    found = facekit.evaluate("fer", fer, model=emotions, labels="ferplus")
    assert found.n == 9 and found.per_class["angry"]["support"] == 9
    assert "12 images, 3 have no usable label" in capsys.readouterr().err
    assert found.metrics["accuracy"] == pytest.approx(3 / 9)


def test_listed_images_are_left_out(
    fer: Path, emotions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "bad.csv"
    listed.write_text("id\ntest/anger/3.png\ntest/fear/0.png\ntrain/fear/77.png\n")
    found = facekit.evaluate("fer", fer, model=emotions, exclude=listed)
    assert found.n == 10 and found.metrics["accuracy"] == pytest.approx(9 / 10)
    assert "12 images, 2 are on the list: left out" in capsys.readouterr().err
    listed.write_text("id\ntest/anger/9.png\n")
    with pytest.raises(DataError, match="test/anger/"):
        facekit.evaluate("fer", fer, model=emotions, exclude=listed)
    names = [path.relative_to(fer).as_posix() for path in sorted(fer.rglob("*.png"))]
    listed.write_text("\n".join(["id", *names]) + "\n")
    with pytest.raises(DataError, match="nothing of fer is left: all 12 images are listed"):
        facekit.evaluate("fer", fer, model=emotions, exclude=listed)


def test_own_classes_are_matched_by_name_not_by_order(
    tiny_bundle: Path, tmp_path: Path, add_head: Callable[..., None]
) -> None:
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "mine"))
    add_head(bundle, "classes", head(("Smile", "grin", "other")))
    data = tmp_path / "faces"
    for i in range(3):
        paint(data / "test" / "grin" / f"{i}.png", RED)
        paint(data / "test" / "smile" / f"{i}.png", BLUE)
        paint(data / "train" / "smile" / f"{i}.png", RED)
    found = facekit.evaluate("folder", data, model=bundle, aligned="fer")
    assert (found.task, found.n) == ("classes", 6)
    assert tuple(found.per_class) == ("Smile", "grin", "other")
    assert found.metrics["accuracy"] == 1.0
    low, _ = found.intervals["accuracy"] or (1, 1)
    assert low < 0.7  # six images say no more
    paint(data / "test" / "frown" / "0.png", RED)
    with pytest.raises(BundleError, match=r"frown.*classes: Smile, grin, other.*--model"):
        facekit.evaluate("folder", data, model=bundle, aligned="fer")


def test_of_two_heads_the_one_made_for_the_classes_answers(
    emotions: Path, tmp_path: Path, add_head: Callable[..., None]
) -> None:
    add_head(emotions, "classes", head(("happy", "sad")))
    for i in range(3):
        paint(tmp_path / "faces" / "test" / "happy" / f"{i}.png", BLUE)
        paint(tmp_path / "faces" / "test" / "sad" / f"{i}.png", RED)
    found = facekit.evaluate("folder", tmp_path / "faces", model=emotions, aligned="fer")
    assert tuple(found.per_class) == ("happy", "sad") and found.metrics["accuracy"] == 1.0


def test_a_bundle_without_the_head_is_refused(fer: Path, tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"tiny has no head.*angry.*no such head.*--model") as e:
        facekit.evaluate("fer", fer, model=tiny_bundle)
    assert "\n" not in str(e.value)


def test_emotions_that_a_model_does_not_know_are_left_out(
    fer: Path,
    tiny_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    add_head: Callable[..., None],
) -> None:
    folder = Path(shutil.copytree(tiny_bundle, tmp_path / "six"))
    add_head(folder, "classes", head(("angry", "disgust", "happy", "natural", "sad", "surprise")))
    found = facekit.evaluate("fer", fer, model=folder)
    assert (found.task, found.n) == ("classes", 10)  # without two of fear
    assert found.metrics["accuracy"] == pytest.approx(9 / 10)
    assert "2 have no usable label: left out" in capsys.readouterr().err


def test_the_default_is_the_first_bundle_that_tells_emotions(
    fer: Path, emotions: Path, facekit_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(emotions, facekit_home / "models" / "own-emotions")
    monkeypatch.setattr(workflow, "_DEFAULTS", ("tiny", "own-emotions"))
    assert facekit.evaluate("fer", fer).metrics["accuracy"] == pytest.approx(9 / 12)
    monkeypatch.setattr(workflow, "_DEFAULTS", ("nobody",))
    assert workflow._default() == workflow.DEFAULT


def test_a_folder_is_needed(emotions: Path) -> None:
    with pytest.raises(UsageError, match="--data is missing"):
        facekit.evaluate("fer", model=emotions)  # type: ignore[call-overload]


def test_measured_answers_say_their_task() -> None:
    chance = np.eye(7, dtype=np.float32)[[0, 1, 1]]
    answers = Answers(EMOTIONS, np.array([0, 1, 2]), chance, 3)
    record = measure(answers, dataset="d", split="val", model="m", rounds=20).record
    assert record["task"] == "emotions" and record["metrics"]["majority_accuracy"] == 0
    other = replace(answers, names=tuple("abcdefg"), groups=np.array([0, 0, 1]))
    measured = measure(other, dataset="d", split="val", model="m", rounds=20)
    assert measured.record["task"] == "classes" and measured.intervals.units == 2


@pytest.mark.real
def test_real_ckplus_has_118_people(real_data: Path, emotions: Path) -> None:
    found = facekit.evaluate("ckplus", real_data / "ckplus", model=emotions)
    assert found.n == 927 and found.per_class["neutral"]["support"] == 0
