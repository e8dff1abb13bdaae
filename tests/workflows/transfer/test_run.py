"""``facekit transfer`` with a frozen backbone: from pictures to a bundle that answers."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import facekit
from facekit.bundle.load import load_bundle
from facekit.bundle.manifest import read_manifest
from facekit.bundle.session import OnnxBackbone
from facekit.cartoon import draw_face, make_person
from facekit.datasets.sources import open_classes
from facekit.errors import DataError, InterruptedRunError, RecipeError, UsageError
from facekit.frame import FaceFrame
from facekit.heads.head import activate
from facekit.labels import EMOTIONS
from facekit.workflows.compare import read_runs
from facekit.workflows.sources import crop_source
from facekit.workflows.transfer.results import TransferResult
from facekit.workflows.transfer.run import recipe_for, transfer

pytestmark = pytest.mark.slow

Train = Callable[..., TransferResult]


def draw(path: Path, expression: str, person: int, photo: int = 0, aligned: str = "celeba") -> None:
    """A cartoon photo, as CelebA's or as small as FER-2013's."""
    rng = np.random.default_rng([person, photo, EMOTIONS.index(expression)])
    size = (48, 48) if aligned == "fer" else (178, 218)
    rgb = draw_face(make_person(11, person), expression, rng, size, aligned=aligned)[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), rgb[..., ::-1])


@pytest.fixture(scope="module")
def moods(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten photos of each of two moods, of ten people; read only."""
    folder = tmp_path_factory.mktemp("moods") / "faces"
    for person in range(10):
        draw(folder / "cross" / f"p{person}__0.png", "angry", person)
        draw(folder / "glad" / f"p{person}__1.png", "happy", person, 1)
    return folder


@pytest.fixture(scope="module")
def fer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A FER-2013 of 42 train and 21 test images; read only."""
    folder = tmp_path_factory.mktemp("drawn") / "fer2013"
    for emotion in EMOTIONS:
        for i in range(9):
            part = "train" if i < 6 else "test"
            draw(folder / part / emotion / f"{i}.png", emotion, i, aligned="fer")
    return folder


@pytest.fixture
def train(tiny_bundle: Path, tmp_path: Path) -> Train:
    """Runs a transfer on the tiny backbone, all in the test's own folder."""

    def run(
        dataset: str, data: Path | str, *overrides: str, out: str = "run", **options: Any
    ) -> TransferResult:
        return transfer(
            dataset,
            data,
            overrides=[f"model={tiny_bundle}", *overrides],
            out=tmp_path / out,
            **options,
        )

    return run


def report_of(result: TransferResult) -> dict[str, Any]:
    return dict(json.loads((result.run / "report.json").read_text("utf-8")))


def predictions(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


#: The whole of a user's way in one process that cannot import what trains networks.
WITHOUT_TENSORFLOW = """
import json, sys

class Refuse:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras", "jax"):
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Refuse)
import facekit
data, out, *photos = sys.argv[1:]
result = facekit.transfer("folder", data, out=out)
found = facekit.load(result.bundle).analyze_many(photos)
scores = [one.faces[0].scores["classes"] for one in found]
loaded = [name for name in ("tensorflow", "keras", "jax", "torch") if name in sys.modules]
print(json.dumps([result.metrics, scores, loaded]))
"""


def test_ten_photos_a_class_without_tensorflow(
    moods: Path, tmp_path: Path, facekit_home: Path
) -> None:
    """The shipped backbone, faces found by the embedded detector."""
    photos = [tmp_path / f"{person}.png" for person in range(20, 24)]
    for path in photos:
        draw(path, "happy", int(path.stem))
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, moods, tmp_path / "run", *photos]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    metrics, scores, loaded = json.loads(done.stdout.splitlines()[-1])
    assert loaded == []
    assert metrics["cv_accuracy"] >= 0.8
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    low, high = report["intervals"]["accuracy"]
    assert low < metrics["cv_accuracy"] - 0.1 and high - low > 0.15  # ten people say no more
    assert report["bootstrap"]["unit"] == "person" and report["bootstrap"]["units"] == 10
    for face in scores:
        assert list(face) == ["cross", "glad"] and sum(face.values()) == pytest.approx(1)
    glad = [face["glad"] for face in scores]
    assert sum(chance > 0.5 for chance in glad) >= 3
    assert max(glad) < 0.999  # twenty photos make nothing certain
    manifest = read_manifest(tmp_path / "run" / "bundle")
    assert manifest.base is not None and manifest.base.name == "celeba-compact"
    assert not (tmp_path / "run" / "bundle" / "backbone.onnx").exists()


def test_a_run_leaves_what_belongs_together(fer: Path, train: Train) -> None:
    result = train("fer", fer, recipe="fer-frozen-linear")
    run, report = result.run, report_of(result)
    assert sorted(path.name for path in run.iterdir()) == [
        "bundle", "card.md", "data.json", "metrics.jsonl", "predictions.csv", "recipe.toml",
        "report.html", "report.json", "validation.csv",
    ]  # fmt: skip
    assert (result.rung, result.finished, result.bundle) == ("frozen", True, run / "bundle")
    told = [report[key] for key in ("kind", "name", "task", "dataset", "rung", "split", "n")]
    assert told == ["transfer", "fer-frozen-linear", "emotions", "fer", "frozen", "test", 21]
    rows = predictions(run / "predictions.csv")
    right = np.mean([row["label"] == row["answer"] for row in rows])
    assert report["metrics"]["accuracy"] == pytest.approx(right)
    assert result.metrics["test_accuracy"] == pytest.approx(right)
    assert np.trace(report["confusion"]) == round(right * 21)
    for row in rows:
        chances = [float(row[name]) for name in EMOTIONS]
        assert EMOTIONS[int(np.argmax(chances))] == row["answer"]
        assert sum(chances) == pytest.approx(1, abs=1e-3) and row["id"].startswith("test/")
    held = predictions(run / "validation.csv")
    assert len(held) == 42 and {row["id"].split("/")[0] for row in held} == {"train"}
    again = np.mean([row["label"] == row["answer"] for row in held])
    assert result.metrics["cv_accuracy"] == pytest.approx(again)
    manifest = read_manifest(run / "bundle")
    assert manifest.metrics["test_accuracy"] == pytest.approx(right)
    assert manifest.heads["emotions"].metrics["calibrated_on"] == "cv"
    assert report["trainable"] == load_bundle(run / "bundle").heads["emotions"].parameters
    assert report["parameters"] == manifest.backbone.parameters + report["trainable"]
    card, page = (run / "card.md").read_text(), (run / "report.html").read_text()
    assert card == (run / "bundle" / "card.md").read_text()
    assert f"{100 * right:.1f} %" in card and f"{100 * right:.1f} %" in page
    assert "21 test images" in page and "research" in card
    assert "facekit evaluate fer --data DIR --model fer-frozen-linear" in card
    told = report["provenance"]
    assert (told["data"], told["rung"], told["base"]) == ("fer", "frozen", "tiny")
    shared = (run / "bundle" / "manifest.json").read_text() + card
    assert str(run.parent) not in shared and str(fer.parent) not in shared
    lines = (run / "metrics.jsonl").read_text().splitlines()
    assert report["history"] == [json.loads(line) for line in lines]
    tried = sorted(facekit.load_recipe("fer-frozen-linear").head.strengths, reverse=True)
    assert [row["strength"] for row in report["history"]] == tried


def test_the_bundle_answers_as_the_report_says(fer: Path, train: Train) -> None:
    result = train("fer", fer, recipe="fer-frozen-linear")
    report = report_of(result)
    found = facekit.evaluate("fer", fer, model=result.bundle)
    assert found.metrics["accuracy"] == pytest.approx(report["metrics"]["accuracy"])
    assert found.metrics["nll"] == pytest.approx(report["metrics"]["nll"], abs=0.02)
    assert found.confusion == report["confusion"]
    model = facekit.load(result.bundle, detector="none")
    rows = {row["id"]: row for row in predictions(result.run / "predictions.csv")}
    scores = model.analyze(fer / "test" / "happy" / "7.png").faces[0].scores
    assert set(scores) == {"attributes", "emotions"}
    assert list(scores["emotions"]) == list(EMOTIONS) and rows["test/happy/7.png"]
    assert sum(scores["emotions"].values()) == pytest.approx(1, abs=1e-4)


def test_folders_of_train_val_and_test(moods: Path, train: Train, tmp_path: Path) -> None:
    data = tmp_path / "split"
    for name in ("cross", "glad"):
        for i, path in enumerate(sorted((moods / name).iterdir())):
            part = "train" if i < 6 else "val" if i < 8 else "test"
            (data / part / name).mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, data / part / name)
    result = train("folder", data, "data.aligned=celeba", "head.strengths=[0.1, 1.0]")
    report = report_of(result)
    assert (report["split"], report["n"], report["task"]) == ("test", 4, "classes")
    facts = json.loads((result.run / "data.json").read_text())
    assert facts["images"] == {"train": 12, "val": 4, "test": 4}
    assert len(predictions(result.run / "validation.csv")) == 4
    assert {"test_accuracy", "val_accuracy"} <= set(result.metrics)
    for split, key in (("test", "test_accuracy"), ("val", "val_accuracy")):
        found = facekit.evaluate("folder", data, split=split, model=result.bundle, aligned="celeba")
        assert found.metrics["accuracy"] == pytest.approx(result.metrics[key])


@pytest.mark.parametrize(
    ("validation", "measured", "images"),
    [
        ("auto", "test", {"train": 42, "val": 0, "test": 21}),
        ("holdout", "test", {"train": 35, "val": 7, "test": 21}),
        ("test", "val", {"train": 42, "val": 21, "test": 0}),
    ],
)
def test_what_choices_are_validated_on(
    fer: Path, train: Train, validation: str, measured: str, images: dict[str, int]
) -> None:
    result = train("fer", fer, f"data.validation={validation}", recipe="fer-frozen-linear")
    assert json.loads((result.run / "data.json").read_text())["images"] == images
    report = report_of(result)
    assert (report["split"], report["n"]) == (measured, 21)
    chosen = "cv" if validation == "auto" else "val"
    assert f"{chosen}_accuracy" in result.metrics
    assert read_manifest(result.run / "bundle").heads["emotions"].metrics["calibrated_on"] == chosen
    assert len(predictions(result.run / "validation.csv")) == images["val"] or validation == "auto"


def test_an_mlp_of_few_pictures_is_cross_validated(fer: Path, train: Train) -> None:
    result = train("fer", fer, "head.epochs=3", "head.members=2", "features.components=20")
    assert report_of(result)["name"] == "fer-frozen-mlp"
    assert json.loads((result.run / "data.json").read_text())["images"]["val"] == 0
    assert len(report_of(result)["history"]) == 5  # a row a fold
    head = load_bundle(result.run / "bundle").heads["emotions"]
    assert head.kind == "mlp" and head.calibration is not None
    found = facekit.evaluate("fer", fer, model=result.bundle)
    assert found.metrics["accuracy"] == pytest.approx(result.metrics["test_accuracy"])


def test_the_second_run_embeds_nothing(
    fer: Path, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))  # without others' features
    seen: list[int] = []
    embed = OnnxBackbone.embed

    def counted(self: OnnxBackbone, crops: np.ndarray, *parts: Any) -> dict[str, Any]:
        if crops.any():  # a black crop tries a bundle out
            seen.append(len(crops))
        return embed(self, crops, *parts)

    monkeypatch.setattr(OnnxBackbone, "embed", counted)
    first = train("fer", fer, recipe="fer-frozen-linear")
    assert sum(n for n in seen if n > 1) == 2 * 63  # plain and mirrored, once
    seen.clear()
    second = train("fer", fer, recipe="fer-frozen-linear", out="again")
    assert set(seen) == {1}  # latency alone, crop by crop
    assert second.metrics == first.metrics
    names = [row.name for row in read_runs([first.run, second.run])]
    assert names == ["fer-frozen-linear (run)", "fer-frozen-linear (again)"]
    heads = [(r.run / "bundle" / "head-emotions.npz").read_bytes() for r in (first, second)]
    assert heads[0] == heads[1]


def spoil(folder: Path) -> tuple[str, str]:
    """One picture that cannot be decoded, one without a face."""
    broken, empty = folder / "cross" / "broken.jpg", folder / "glad" / "wall.png"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no more than this")
    noise = np.random.default_rng(0).normal(150, 3, (120, 100, 3)).astype(np.uint8)
    assert cv2.imwrite(str(empty), noise)
    return "cross/broken.jpg", "glad/wall.png"


@pytest.mark.parametrize("allow", [False, True])
def test_pictures_of_a_folder_that_cannot_be_used_are_left_out_and_told(
    moods: Path, train: Train, tmp_path: Path, allow: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Path(shutil.copytree(moods, tmp_path / "faces"))
    names = spoil(data)
    result = train("folder", data, allow_missing=allow)
    told = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    assert len(told) == 1 and "2 of 22 images cannot be used" in told[0]
    assert names[0] in told[0] and f"{names[1]}: no face was found" in told[0]
    assert report_of(result)["n"] == 20
    ids = {row["id"] for row in predictions(result.run / "predictions.csv")}
    assert len(ids) == 20 and not ids & set(names)


def test_of_other_sources_they_are_refused_unless_allowed(
    fer: Path, train: Train, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(fer, tmp_path / "fer2013"))
    (data / "train" / "sad" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match=r"1 of 64 images.*broken\.png.*--allow-missing") as caught:
        train("fer", data, recipe="fer-frozen-linear")
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()
    result = train("fer", data, recipe="fer-frozen-linear", allow_missing=True)
    assert json.loads((result.run / "data.json").read_text())["images"]["train"] == 42


def test_tight_crops_are_told_how_to_be_read(train: Train, tmp_path: Path) -> None:
    """Faces without a forehead or chin, in which no detector finds any."""
    for k, name in enumerate(("one", "two")):
        for i in range(4):
            path = tmp_path / "tight" / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            blots = np.random.default_rng([k, i]).integers(60, 200, (5, 5, 3), np.uint8)
            assert cv2.imwrite(str(path), cv2.resize(blots, (32, 32)))
    with pytest.raises(DataError, match=r"none of the 8 images.*--set data\.aligned=fer") as e:
        train("folder", tmp_path / "tight")
    assert "\n" not in str(e.value) and not (tmp_path / "run").exists()
    result = train("folder", tmp_path / "tight", "data.aligned=fer")
    assert report_of(result)["n"] == 8


def test_one_picture_of_a_class_is_refused_and_nothing_is_left(
    moods: Path, train: Train, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(moods, tmp_path / "faces"))
    draw(data / "sleepy" / "0.png", "sad", 5)
    with pytest.raises(DataError, match="class 'sleepy' has a single picture") as caught:
        train("folder", data, "data.aligned=celeba")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()
    draw(data / "sleepy" / "1.png", "sad", 6)
    assert report_of(train("folder", data, "data.aligned=celeba"))["n"] == 22


def test_people_of_a_table_are_on_one_side(moods: Path, train: Train, tmp_path: Path) -> None:
    data = tmp_path / "faces"
    lines = ["file,person"]
    for name in ("cross", "glad"):
        for i, path in enumerate(sorted((moods / name).iterdir())):
            (data / name).mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, data / name / f"{i}.png")
            lines.append(f"{name}/{i}.png,person {i // 5}")
    (tmp_path / "who.csv").write_text("\n".join(lines) + "\n")
    result = train("folder", data, "data.aligned=celeba", people=str(tmp_path / "who.csv"))
    assert report_of(result)["bootstrap"] == {"unit": "person", "units": 2, "rounds": 1000}
    low, high = report_of(result)["intervals"]["accuracy"]
    assert high - low > 0.3 or report_of(result)["metrics"]["accuracy"] in (0, 1)
    with pytest.raises(UsageError, match="--people goes with folder"):
        train("fer", data, people=tmp_path / "who.csv")


def test_what_is_listed_is_left_out(
    fer: Path, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "out.csv"
    listed.write_text("id,finding\ntrain/sad/0.png,copy\ntest/sad/7.png,copy\ntest/sad/99.png,x\n")
    whole = train("fer", fer, recipe="fer-frozen-linear", out="whole")
    capsys.readouterr()
    result = train("fer", str(fer), recipe="fer-frozen-linear", exclude=str(listed))
    assert "fer: 63 images, 2 are on the list: left out" in capsys.readouterr().err
    facts = [json.loads((r.run / "data.json").read_text()) for r in (whole, result)]
    assert facts[1]["images"] == {"train": 41, "val": 0, "test": 20}
    assert facts[0]["crops"] == facts[1]["crops"]  # no second cache
    found = facekit.evaluate("fer", fer, model=result.bundle, exclude=listed)
    assert found.n == 20
    assert found.metrics["accuracy"] == pytest.approx(result.metrics["test_accuracy"])
    listed.write_text("train/sadd/0.png\n")
    with pytest.raises(DataError, match=r"did you mean 'train/sad/0\.png'"):
        train("fer", fer, exclude=listed, out="none")
    assert not (tmp_path / "none").exists()


def test_votes_are_learned_as_shares(fer: Path, train: Train, tmp_path: Path) -> None:
    data = Path(shutil.copytree(fer, tmp_path / "fer2013"))
    rows = ["file,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"]
    column = {"neutral": 0, "happy": 1, "surprise": 2, "sad": 3, "angry": 4, "disgust": 5}
    for path in sorted(data.rglob("*.png")):
        votes = [0] * 10
        votes[column.get(path.parent.name, 6)] = 6
        votes[3] += 4  # four of ten always see sadness
        rows.append(f"{path.relative_to(data).as_posix()},{','.join(map(str, votes))}")
    (data / "ferplus_votes.csv").write_text("\n".join(rows) + "\n")
    table = open_classes("fer", data, splits=("train",))
    frame = FaceFrame(side=40)
    crops = crop_source(table, frame).cache.crops
    said = []
    for out, options in (("own", {}), ("voted", {"labels": "ferplus"})):
        result = train("fer", data, recipe="fer-frozen-linear", out=out, **options)
        bundle = load_bundle(result.run / "bundle")
        logits = bundle.heads["emotions"].logits(bundle.embed(crops), calibrated=False)
        chances = activate(logits, "softmax")[:, EMOTIONS.index("sad")]
        said.append(float(chances.mean()))
    assert said[0] == pytest.approx(1 / 7, abs=0.02)
    assert said[1] == pytest.approx((6 * 0.4 + 1) / 7, abs=0.02)
    recipe = (result.run / "recipe.toml").read_text()
    assert 'labels = "ferplus"' in recipe and "votes = 1.0" in recipe
    half = train("fer", data, "data.votes=0.5", labels="ferplus", out="half")
    assert "votes = 0.5" in (half.run / "recipe.toml").read_text()
    with pytest.raises(UsageError, match="--labels goes with fer"):
        train("folder", data, labels="ferplus")


def test_a_finished_run_is_not_overwritten(fer: Path, train: Train) -> None:
    train("fer", fer, recipe="fer-frozen-linear")
    with pytest.raises(InterruptedRunError, match="already: name another folder with --out"):
        train("fer", fer, recipe="fer-frozen-linear")
    with pytest.raises(RecipeError, match="leave --resume and --epochs out"):
        train("fer", fer, recipe="fer-frozen-linear", resume=True)
    with pytest.raises(RecipeError, match="leave --resume and --epochs out"):
        train("fer", fer, recipe="fer-frozen-linear", out="other", epochs=2)


def test_heads_go_on_from_any_bundle(
    fer: Path, train: Train, tiny_bundle: Path, facekit_home: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A bundle of the user by name, one in the working directory, one that is heads alone."""
    fast = ("head.strengths=[0.1]",)
    shutil.copytree(tiny_bundle, facekit_home / "models" / "tiny")
    named = train("fer", fer, "model=tiny", *fast, recipe="fer-frozen-linear", out="named")
    base = read_manifest(named.run / "bundle").base
    assert base is not None and base.name == "tiny"
    assert list(load_bundle(named.run / "bundle").heads) == ["attributes", "points", "emotions"]

    shutil.copytree(named.run / "bundle", facekit_home / "models" / "moods")
    on_heads = train("fer", fer, "model=moods", *fast, recipe="fer-frozen-linear", out="more")
    assert load_bundle(on_heads.run / "bundle").key == load_bundle("tiny").key

    shutil.rmtree(facekit_home / "models")
    shutil.copytree(tiny_bundle, tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)  # where "tiny" is the name of a folder
    local = train("fer", fer, "model=tiny", *fast, recipe="fer-frozen-linear", out="local")
    assert read_manifest(local.run / "bundle").base is None
    monkeypatch.chdir(tmp_path.parent)
    whole = load_bundle(local.run / "bundle")
    assert list(whole.heads) == ["attributes", "points", "emotions"]


def test_ckplus_is_cross_validated_by_person(train: Train, tmp_path: Path) -> None:
    for person in range(6):
        for k, name in enumerate(("anger", "happy", "contempt")):
            path = tmp_path / "ck" / name / f"S{person:03d}_001_{k:08d}.png"
            draw(path, ("angry", "happy", "neutral")[k], person, aligned="fer")
    result = train("ckplus", tmp_path / "ck")
    report = report_of(result)
    assert (report["dataset"], report["split"], report["n"]) == ("ckplus", "cv", 12)
    assert report["bootstrap"]["unit"] == "person" and report["bootstrap"]["units"] == 6
    assert report["task"] == "emotions" and report["per_class"]["neutral"]["support"] == 0


def test_the_result_is_tried_on_another_data_set(fer: Path, train: Train, tmp_path: Path) -> None:
    for person in range(4):
        for k, name in enumerate(("anger", "happy", "contempt")):
            path = tmp_path / "ck" / name / f"S{person:03d}_001_{k:08d}.png"
            draw(path, ("angry", "happy", "neutral")[k], person, aligned="fer")
    fast = ("head.kind=linear", "head.strengths=[0.1]")
    options: dict[str, Any] = {"recipe": "ckplus-cross", "cross": str(tmp_path / "ck")}
    result = train("fer", fer, *fast, **options)
    cross = report_of(result)["cross"]
    assert (cross["dataset"], cross["split"], cross["n"]) == ("ckplus", "test", 8)
    assert result.metrics["ckplus_accuracy"] == cross["metrics"]["accuracy"]
    assert report_of(result)["metrics"]["accuracy"] == result.metrics["test_accuracy"]
    found = facekit.evaluate("ckplus", tmp_path / "ck", model=result.bundle)
    assert found.metrics == cross["metrics"]
    assert "cross_sample" not in report_of(result)
    few = train("fer", fer, *fast, "data.cross_sample=5", out="few", **options)
    sample = report_of(few)["cross_sample"]
    assert (sample["n"], report_of(few)["cross"]["n"]) == (5, 8)
    support = [sample["per_class"][name]["support"] for name in ("angry", "happy")]
    assert sorted(support) == [2, 3]
    again = facekit.evaluate("ckplus", tmp_path / "ck", model=few.bundle, sample=5)
    assert again.metrics == sample["metrics"]
    plain = train("fer", fer, *fast, recipe="fer-frozen-linear", out="plain")
    assert "ckplus_accuracy" not in plain.metrics and "cross" not in report_of(plain)


def test_what_it_is_tried_on_is_looked_at_first(fer: Path, train: Train, tmp_path: Path) -> None:
    """Training may take hours: it is not done for nothing."""
    (tmp_path / "empty").mkdir()
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"recipe": "ckplus-cross"}, "name its folder with --cross"),
        ({"recipe": "fer-frozen-linear", "cross": fer}, "--cross needs a recipe"),
        ({"recipe": "ckplus-cross", "cross": tmp_path / "nowhere"}, "nowhere"),
        ({"recipe": "ckplus-cross", "cross": tmp_path / "empty"}, r"is no CK\+"),
    )
    for options, words in wrong:
        with pytest.raises((UsageError, DataError), match=words) as caught:
            train("fer", fer, **options)
        assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()
    for person in range(2):
        for k, name in enumerate(("anger", "happy")):
            path = tmp_path / "ck" / name / f"S{person:03d}_001_{k:08d}.png"
            draw(path, ("angry", "happy")[k], person, aligned="fer")
            draw(tmp_path / "own" / "abc"[k] / f"{person}.png", "happy", person, aligned="fer")
    with pytest.raises(UsageError, match="ckplus, which has emotions, and the classes are a, b"):
        train("folder", tmp_path / "own", "data.cross=ckplus", "data.aligned=fer",
              recipe="folder-frozen", cross=tmp_path / "ck")  # fmt: skip
    assert not (tmp_path / "run").exists()
    with pytest.raises(RecipeError, match=r"data\.cross_sample=9 samples nothing"):
        train("fer", fer, "data.cross_sample=9", recipe="fer-frozen-linear")


def test_each_data_set_and_rung_has_a_recipe() -> None:
    for dataset in ("fer", "folder", "ckplus", "tfrecord"):
        for rung in (None, "frozen", "last", "full", "scratch", "auto"):
            assert facekit.load_recipe(recipe_for(dataset, rung)).kind == "transfer"
    assert recipe_for("fer", None) == "fer-frozen-mlp"
    assert recipe_for("folder", "auto") == "folder-frozen"
    assert recipe_for("folder", "scratch") == recipe_for("fer", "full") == "fer-full"
