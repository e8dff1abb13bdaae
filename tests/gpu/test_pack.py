"""Packs of drawn faces are read back as the data sets they were."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from facekit.cache.teacher import read_teacher_table
from facekit.datasets.celeba import read_celeba
from facekit.datasets.fer import read_fer
from facekit.frame import FaceFrame
from facekit.photos.image import decode
from gpu.pack import PART, Parts, _package, main, parts_of
from gpu.run import unpack


@pytest.fixture(scope="module")
def packed(
    cartoon_celeba: Path, cartoon_fer: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The unpacked data."""
    folder = tmp_path_factory.mktemp("packs")
    table = read_celeba(cartoon_celeba)
    vectors = np.random.default_rng(0).normal(size=(len(table), 128)).astype(np.float32)
    np.savez(folder / "table.npz", names=table.ids, vectors=vectors)
    words = ["--celeba", str(cartoon_celeba), "--teacher-table", str(folder / "table.npz")]
    main([str(folder), *words, "--fer", str(cartoon_fer)])
    unpack(folder, folder / "data")
    return folder / "data"


def test_parts_join_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.with_name("a.zip.07").write_bytes(b"of an older pack")
    content = np.random.default_rng(0).bytes(2500)
    with Parts(path, 1000) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("one", content)
    parts = parts_of(path)
    assert [part.stat().st_size for part in parts[:-1]] == [1000, 1000] and len(parts) == 3
    whole = tmp_path / "whole.zip"
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    with zipfile.ZipFile(whole) as archive:
        assert archive.testzip() is None and archive.read("one") == content
    assert PART < 40e6


def test_celeba_keeps_labels_people_and_what_the_frame_sees(
    packed: Path, cartoon_celeba: Path
) -> None:
    before, after = (
        read_celeba(f, splits=("train", "val")) for f in (cartoon_celeba, packed / "celeba")
    )
    assert after.name == before.name == "cartoon"
    for name in ("ids", "labels", "split", "person"):
        assert np.array_equal(getattr(before, name), getattr(after, name)), name
    assert len(list((packed / "celeba" / "img_align_celeba").iterdir())) == len(after)  # no test
    frame, errors = FaceFrame(), []
    for one, two in zip(before.images, after.images, strict=True):
        crops = []
        for path in (one, two):
            image = decode(path)
            assert image.shape == (218, 178, 3)
            crops.append(frame.warp(image, frame.matrix_from_aligned("celeba", 178, 218)))
        errors.append(np.abs(crops[0].astype(float) - crops[1]).mean())
    assert max(errors) < 4
    assert (decode(after.images[0])[:8, :8] == 128).all()  # what it does not see is blank
    vectors = read_teacher_table(packed / "celeba" / "teacher.npz", after.ids)
    wanted = read_teacher_table(packed.parent / "table.npz", after.ids)
    assert np.allclose(vectors, wanted, rtol=1e-3, atol=1e-3)


def test_fer_keeps_its_classes_and_no_sealed_pictures(
    packed: Path, cartoon_fer: Path, tmp_path: Path
) -> None:
    before, after = read_fer(cartoon_fer), read_fer(packed / "fer")
    count = lambda t: sorted(zip(t.split.tolist(), t.labels.tolist(), strict=True))  # noqa: E731
    assert count(before) == count(after)
    both = zip(before.images[:20], after.images[:20], strict=True)
    assert max(np.abs(decode(a).astype(float) - decode(b)).mean() for a, b in both) < 6
    for split, place in (("train", "train"), ("test", "val")):
        (tmp_path / "whole").mkdir(exist_ok=True)
        (tmp_path / "whole" / place).symlink_to(cartoon_fer / split)
    (tmp_path / "whole" / "test").symlink_to(cartoon_fer / "test")
    main([str(tmp_path), "--fer", str(tmp_path / "whole"), "--limit", "9"])
    unpack(tmp_path, tmp_path / "data")
    assert {p.name for p in (tmp_path / "data" / "fer").iterdir()} == {"train", "val"}
    assert len(read_fer(tmp_path / "data" / "fer")) == 18


def test_packages_by_one_spelling() -> None:
    asked = ["scikit-learn>=1.6", "opencv-python-headless>=4.12,<5", "jax>=0.6"]
    assert [*map(_package, asked)] == ["scikit-learn", "opencv-python-headless", "jax"]
    assert _package("scikit_learn-1.7.2-cp312-cp312-manylinux.whl") == "scikit-learn"
