"""The identity teacher on drawn faces."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facekit.bundle.load import load_bundle
from facekit.cache import teacher
from facekit.datasets.celeba import read_celeba
from facekit.datasets.table import Table
from facekit.errors import DataError
from facekit.photos.align import through_points
from facekit.photos.image import decode

#: Teaches six images, two a block, and kills itself while it reads the fifth.
KILLED = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from facekit.photos.image import decode
from facekit.datasets.celeba import read_celeba
from facekit.cache import teacher

table = read_celeba(sys.argv[1], splits=("train",)).select(range(6))

def read(path):
    if path == table.images[4]:
        (states,) = Path(sys.argv[2]).glob("*/state.npy")
        while np.load(states)[1] != 1:  # the first block is not on disk yet
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    return decode(path)

teacher._BLOCK = 2
teacher.teach(table, read, root=Path(sys.argv[2]))
"""


@pytest.fixture
def table(cartoon_celeba: Path) -> Table:
    return read_celeba(cartoon_celeba, splits=("train",)).select(np.arange(6))


def test_a_killed_teacher_goes_on_where_it_was(
    table: Table, cartoon_celeba: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", KILLED, str(cartoon_celeba), str(tmp_path)]
    dead = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    (folder,) = tmp_path.glob("dlib-identity-*/")
    before = np.load(folder / "rows.npy", allow_pickle=False)
    state = np.load(folder / "state.npy").tolist()
    kept = state.count(1)  # whole blocks; the second may have been under way
    assert kept in (2, 4) and state == [1] * kept + [0] * (6 - kept)

    seen: list[Path] = []

    def read(image: Path | bytes) -> NDArray[np.uint8]:
        assert isinstance(image, Path)
        seen.append(image)
        return decode(image)

    monkeypatch.setattr(teacher, "_BLOCK", 2)
    vectors = teacher.teach(table, read, root=tmp_path)
    assert sorted(seen) == sorted(table.images[kept:])  # type: ignore[index]
    assert vectors.shape == (6, teacher.DLIB_SIZE) and vectors.dtype == np.float32
    assert np.isfinite(vectors).all() and np.array_equal(vectors[:kept], before[:kept])
    assert len(np.unique(vectors, axis=0)) == 6

    seen.clear()
    assert np.array_equal(teacher.teach(table, read, root=tmp_path), vectors)
    assert not seen  # nothing is left to do, so nothing is read


def test_an_unreadable_image_has_no_vector(table: Table, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    images = [bad, table.images[1]]  # type: ignore[index]
    broken = replace(table.select(np.arange(2)), images=images)
    vectors = teacher.teach(broken, decode, root=tmp_path / "cache")
    assert np.isnan(vectors[0]).all() and np.isfinite(vectors[1]).all()
    assert np.linalg.norm(vectors[1]) == pytest.approx(1.3, abs=0.4)  # as dlib's vectors are


def test_other_pictures_of_the_same_names_are_other_vectors(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teacher, "_load", mean_colour)
    other = tmp_path / "other.jpg"
    shutil.copy(table.images[5], other)  # type: ignore[index]
    images = list(table.images)  # type: ignore[arg-type]
    first, changed, again = (
        teacher.teach(replace(table, images=change), decode, root=tmp_path / "cache")
        for change in (images, [other, *images[1:]], images)
    )
    assert np.array_equal(first, again)
    assert changed[0, 0] == first[5, 0] != first[0, 0]
    assert len(list((tmp_path / "cache").glob("dlib-identity-*/"))) == 2


class Stream:
    """Encoded images that can only be read in order."""

    def __init__(self, table: Table) -> None:
        self.data = [path.read_bytes() for path in table.images]  # type: ignore[union-attr]
        self.asked: list[list[int]] = []
        self.given = 0

    def __len__(self) -> int:
        return len(self.data)

    def stream(self, rows: NDArray[np.int64]) -> Iterator[bytes]:
        self.asked.append(rows.tolist())
        for row in rows:
            self.given += 1
            yield self.data[row]


def mean_colour(
    read: Callable[[Path | bytes], NDArray[np.uint8]], aligned: str, views: int
) -> object:
    """In place of the network: a vector that tells the pictures apart."""
    return lambda image: np.full(128, read(image).mean(), np.float32)


def test_a_stream_is_taught_like_files_and_goes_on_where_it_was(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teacher, "_BLOCK", 2)
    monkeypatch.setattr(teacher, "_load", mean_colour)
    files = teacher.teach(table, decode, root=tmp_path / "files")
    stream = Stream(table)
    streamed = replace(table, images=stream)

    def stopping(image: Path | bytes) -> NDArray[np.uint8]:
        if image == stream.data[3]:
            raise KeyboardInterrupt
        return decode(image)

    with pytest.raises(KeyboardInterrupt):
        teacher.teach(streamed, stopping, root=tmp_path / "stream")
    vectors = teacher.teach(streamed, decode, root=tmp_path / "stream")
    assert np.array_equal(vectors, files)
    assert stream.asked[-1] == [2, 3, 4, 5]
    assert len(np.unique(vectors[:, 0])) == 6


def test_a_selection_of_a_stream_is_taught(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teacher, "_load", mean_colour)
    files = teacher.teach(table, decode, root=tmp_path / "files")
    chosen = replace(table, images=Stream(table)).select(np.array([1, 4]))
    vectors = teacher.teach(chosen, decode, root=tmp_path / "stream")
    assert np.array_equal(vectors, files[[1, 4]])


def test_only_aligned_images_are_taught(table: Table, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--teacher-table"):
        teacher.teach(replace(table, aligned=None), decode, root=tmp_path)
    assert not list(tmp_path.iterdir())


def test_one_view_is_what_the_bundle_says_of_the_refined_crop(table: Table, tmp_path: Path) -> None:
    bundle = load_bundle("dlib-identity")
    frame = bundle.frame
    images = [decode(path) for path in table.images]  # type: ignore[arg-type]
    matrices = [frame.matrix_from_aligned("celeba", *im.shape[1::-1]) for im in images]
    crops = np.stack([frame.warp(*pair) for pair in zip(images, matrices, strict=True)])
    refine = bundle.refiner()
    assert refine is not None
    moved = map(through_points, matrices, refine(crops), [frame] * len(crops))
    better = [one for one in moved if one is not None]
    crops = np.stack([frame.warp(*pair) for pair in zip(images, better, strict=True)])
    wanted = bundle.embed(crops, ["identity"])["identity"]
    found = teacher.teach(table, decode, root=tmp_path)
    assert np.allclose(found, wanted, atol=1e-3)  # points of a batch differ by a trifle
    assert not np.allclose(found, wanted[::-1], atol=1e-2)


def test_several_views_are_their_unit_mean_and_kept_by_themselves(
    table: Table, tmp_path: Path
) -> None:
    small = table.select(np.arange(2))
    one, three, again = (teacher.teach(small, decode, root=tmp_path, views=n) for n in (1, 3, 3))
    assert np.array_equal(three, again) and len(list(tmp_path.glob("dlib-identity-*/"))) == 2
    assert np.allclose(np.linalg.norm(three, axis=1), 1, atol=1e-6)
    unit = one / np.linalg.norm(one, axis=1, keepdims=True)
    cosine = (unit * three).sum(1)
    assert (cosine > 0.95).all() and (cosine < 0.99999).all()
    # The image itself is one of the views, and the others do not depend on the others' images.
    alone = teacher.teach(table.select(np.array([1])), decode, root=tmp_path / "alone", views=3)
    assert np.allclose(alone[0], three[1], atol=1e-6)
    bundle = load_bundle("dlib-identity")
    crop = np.random.default_rng(0).integers(0, 256, (150, 150, 3), np.uint8)
    seen: list[np.ndarray] = []

    class Spy:
        def embed(self, crops: np.ndarray, parts: list[str]) -> dict[str, np.ndarray]:
            seen.append(crops)
            return bundle.embed(crops, parts)

    teacher.describe_crop(Spy(), crop, 4)  # type: ignore[arg-type]
    assert np.array_equal(seen[0][0], crop) and len(np.unique(seen[0], axis=0)) == 4
