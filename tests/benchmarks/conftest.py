"""People of sixteen colours, and a model that comes with strangers like them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facekit.bundle.bundle import identity_vectors
from facekit.bundle.load import load_bundle
from facekit.bundle.strangers import Strangers
from facekit.bundle.write import write_bundle
from facekit.enrollment.photo import Photo
from facekit.photos.detect import WholePicture
from facekit.photos.image import decode
from facekit.workflows.pretrain.strangers import add_strangers


def paint_face(person: int, photo: int, *, noise: float = 5.0) -> np.ndarray:
    """A "face" of 40 x 40: the person's sixteen colours, a little changed."""
    colours = np.random.default_rng([7, person]).uniform(30, 225, (4, 4, 3))
    changed = colours + np.random.default_rng([8, person, photo]).normal(0, noise, (4, 4, 3))
    small = np.clip(changed, 0, 255).astype(np.uint8)
    return np.asarray(np.repeat(np.repeat(small, 10, axis=0), 10, axis=1))


def save(path: Path, rgb: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))


@pytest.fixture(scope="session")
def painted_bundle(tiny_contents: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with 800 painted strangers, half of whom calibrate; read only."""
    folder = write_bundle(tmp_path_factory.mktemp("painted") / "painted", tiny_contents).folder
    bundle = load_bundle(folder)
    crops = np.stack([paint_face(1000 + i, 0) for i in range(800)])
    chances = bundle.scores(crops, ["attributes"])["attributes"]
    strangers = Strangers(
        identity_vectors(bundle, crops).astype(np.float16).astype(np.float32),
        np.rint(chances * 255).astype(np.uint8),
        np.arange(800) % 2 == 0,
        bundle.key,
    )
    add_strangers(folder, strangers)
    return folder


@pytest.fixture(scope="session")
def painted_lfw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """persons/ with three of 14 photos and one of 4, strangers/ with 60; read only."""
    folder = tmp_path_factory.mktemp("painted") / "lfw"
    for person, photos in enumerate((14, 14, 14, 4)):
        for i in range(photos):
            save(folder / "persons" / f"p{person}" / f"{i:02}.png", paint_face(person, i))
    for i in range(60):
        save(folder / "strangers" / f"{i:02}.png", paint_face(100 + i, 0))
    return folder


@pytest.fixture
def whole_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every picture is a face; how photos are chosen is not under test here."""

    def gather(paths: Sequence[Path], model: Any, spec: object, **rest: object) -> list[Photo]:
        photos = []
        for i, path in enumerate(paths):
            crop = decode(path)
            chances = model.bundle.scores(crop[None], ["attributes"])["attributes"][0]
            photos.append(
                Photo(
                    path=str(path),
                    digest=hashlib.sha256(path.read_bytes()).hexdigest(),
                    used=True,
                    box=(0, 0, 40, 40),
                    crop=crop,
                    wide=np.pad(crop, ((20, 20), (20, 20), (0, 0)), mode="edge"),
                    vector=identity_vectors(model.bundle, crop[None])[0],
                    attributes=chances,
                    session=i,
                )
            )
        return photos

    monkeypatch.setattr("benchmarks.enroller.gather_photos", gather)
    for module in ("identity", "old_way"):
        monkeypatch.setattr(f"benchmarks.{module}.find_detector", lambda name: WholePicture())
