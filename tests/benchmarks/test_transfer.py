"""``python -m benchmarks transfer`` on drawn faces and a bundle of a few hundred numbers."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from benchmarks.registry import BENCHMARKS, BenchOptions
from benchmarks.transfer import measure_transfer, render, teacher_cosine, verify_strangers
from facekit.bundle.load import load_bundle
from facekit.bundle.write import write_bundle
from facekit.cartoon import draw_face, draw_scene, make_person
from facekit.datasets.celeba import read_celeba
from facekit.errors import DataError, UsageError
from facekit.labels import EMOTIONS

if TYPE_CHECKING:
    from facekit.bundle.write import BundleContents


def save(path: Path, rgb: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))


def draw_fer(folder: Path, *, train: int = 6, test: int = 2) -> None:
    for label, emotion in enumerate(EMOTIONS):
        for number in range(train + test):
            rng = np.random.default_rng([label, number])
            person = make_person(2, number)
            face = draw_face(person, emotion, rng, (48, 48), aligned="fer")[0]
            part = "train" if number < train else "test"
            save(folder / part / emotion / f"{number}.png", face)


def draw_lfw(folder: Path, *, photos: int, strangers: int) -> None:
    people = {f"persons/person{i}": make_person(1, i) for i in range(2)}
    for number in range(strangers):
        people[f"strangers/{number}"] = make_person(1, 10 + number)
    for name, person in people.items():
        for photo in range(photos if name.startswith("persons") else 1):
            scene = draw_scene([person], np.random.default_rng([len(name), photo]), (250, 250))
            path = f"{name}/{photo}.jpg" if name.startswith("persons") else f"{name}.jpg"
            save(folder / path, scene.image)


@pytest.fixture(scope="module")
def data(cartoon_celeba: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """celeba/ with a table of teacher vectors, lfw/ and fer2013/."""
    folder = tmp_path_factory.mktemp("transfer")
    shutil.copytree(cartoon_celeba, folder / "celeba")
    draw_lfw(folder / "lfw", photos=16, strangers=6)
    draw_fer(folder / "fer2013")
    return folder


def write_table(folder: Path, vectors: np.ndarray) -> None:
    names = read_celeba(folder, splits=("train", "val")).ids
    np.savez(folder / "teacher_dlib.npz", names=names, vectors=vectors)


def test_all_three_are_measured(data: Path, tiny_bundle: Path) -> None:
    write_table(data / "celeba", np.random.default_rng(0).normal(size=(55, 8)))
    record = BENCHMARKS["transfer"].run(BenchOptions(data=data, model=str(tiny_bundle)))
    assert list(record) == ["model", "backbone", "identity_cosine", "lfw", "fer"]
    assert -1 <= record["identity_cosine"] <= 1
    assert record["lfw"]["people"] == 2 and 4 <= record["lfw"]["strangers"] <= 6
    assert 0 <= record["lfw"]["auc"] <= 1 and len(record["lfw"]["intervals"]["auc"]) == 2
    assert (record["fer"]["train"], record["fer"]["test"]) == (42, 14)
    assert 0 <= record["fer"]["accuracy"] <= 1
    text = render(record)
    assert text.startswith("tiny (backbone ")
    assert "cosine" in text and "LFW people: auc" in text and "probe: accuracy" in text


def test_what_is_not_there_is_left_out(data: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "fer2013").symlink_to(data / "fer2013")
    record = measure_transfer(BenchOptions(data=tmp_path, model=str(tiny_bundle)))
    assert record["identity_cosine"] is None and record["lfw"] is None
    assert "LFW" not in render(record)
    with pytest.raises(UsageError, match="--data"):
        measure_transfer(BenchOptions(model=str(tiny_bundle)))
    with pytest.raises(UsageError, match="none of celeba/, lfw/ and fer2013/"):
        measure_transfer(BenchOptions(data=tmp_path / "fer2013", model=str(tiny_bundle)))


def test_the_cosine_is_that_of_known_images(data: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    """A teacher that agrees up to a common part has cosine 1."""
    from facekit.cache.crops import build_cache

    bundle = load_bundle(tiny_bundle)
    folder = Path(shutil.copytree(data / "celeba", tmp_path / "celeba"))
    table = read_celeba(folder, splits=("train", "val"))
    crops = np.asarray(build_cache(table, bundle.frame, root=tmp_path / "crops").crops)
    both = [bundle.embed(c, ["identity"])["identity"] for c in (crops, crops[:, :, ::-1])]
    unit = both[0] + both[1]
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    train = table.split == "train"
    # The teacher's own mean over the training images is taken off; make it constant.
    vectors = np.where(train[:, None], 5.0, 5.0 + unit).astype(np.float32)
    vectors[np.flatnonzero(~train)[0]] = np.nan  # an image that the teacher could not read
    write_table(folder, vectors)
    assert teacher_cosine(bundle, folder) == pytest.approx(1.0, abs=1e-4)
    write_table(folder, np.ones((55, 12)))
    assert teacher_cosine(bundle, folder) is None  # vectors of another length
    (folder / "teacher_dlib.npz").unlink()
    assert teacher_cosine(bundle, folder) is None


def test_people_with_few_photos_are_left_out(data: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(data / "lfw", tmp_path / "lfw"))
    bundle = load_bundle(tiny_bundle)
    for photo in sorted((folder / "persons" / "person0").iterdir())[4:]:
        photo.unlink()
    assert verify_strangers(bundle, folder)["people"] == 1
    for photo in (folder / "strangers").iterdir():
        photo.unlink()
    with pytest.raises(DataError, match="strangers"):
        verify_strangers(bundle, folder)
    shutil.rmtree(folder / "persons")
    with pytest.raises(DataError, match="more than 10 faces"):
        verify_strangers(bundle, folder)


def test_a_backbone_without_identity_is_probed_all_the_same(
    data: Path, tiny_contents: BundleContents, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(tiny_contents.onnx)
    outputs = [o for o in model.graph.output if o.name != "identity"]
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    plain = replace(tiny_contents, onnx=model.SerializeToString())
    bundle = write_bundle(tmp_path / "plain", plain)
    record = measure_transfer(BenchOptions(data=data, model=str(bundle.folder)))
    assert record["identity_cosine"] is None and record["lfw"] is None
    assert record["fer"]["test"] == 14
