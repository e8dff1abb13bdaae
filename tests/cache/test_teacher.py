"""The identity teacher on drawn faces; it needs the extra ``teachers``."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facekit.cache import teacher
from facekit.datasets.celeba import read_celeba
from facekit.datasets.table import Table
from facekit.errors import DataError, MissingExtraError
from facekit.photos.image import decode

needs_dlib = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("dlib", "face_recognition_models")),
    reason="dlib is not installed: pip install 'facekit[teachers]'",
)

#: Teaches six images, two a block, and kills itself while it reads the fifth.
KILLED = """
import os, signal, sys
from pathlib import Path
from facekit.photos.image import decode
from facekit.datasets.celeba import read_celeba
from facekit.teachers import dlib

table = read_celeba(sys.argv[1], splits=("train",)).select(range(6))

def read(path):
    if path == table.images[4]:
        os.kill(os.getpid(), signal.SIGKILL)
    return decode(path)

dlib._BLOCK = 2
dlib.teach(table, read, root=Path(sys.argv[2]), tick=lambda done, every: None)
"""


@pytest.fixture
def table(cartoon_celeba: Path) -> Table:
    return read_celeba(cartoon_celeba, splits=("train",)).select(np.arange(6))


def quiet(done: int, every: int) -> None:
    pass


@needs_dlib
@pytest.mark.slow
def test_a_killed_teacher_goes_on_where_it_was(
    table: Table, cartoon_celeba: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", KILLED, str(cartoon_celeba), str(tmp_path)]
    dead = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    (path,) = tmp_path.glob("dlib-*.npy")
    before = np.load(path, allow_pickle=False)
    assert np.isfinite(before[:4]).all() and np.isinf(before[4:]).all()

    seen: list[Path] = []
    ticks: list[tuple[int, int]] = []

    def read(image: Path | bytes) -> NDArray[np.uint8]:
        assert isinstance(image, Path)
        seen.append(image)
        return decode(image)

    monkeypatch.setattr(teacher, "_BLOCK", 2)
    vectors = teacher.teach(table, read, root=tmp_path, tick=lambda *state: ticks.append(state))
    assert sorted(seen) == sorted(table.images[4:])  # type: ignore[index]
    assert ticks == [(6, 6)]
    assert vectors.shape == (6, teacher.DLIB_SIZE) and vectors.dtype == np.float32
    assert np.isfinite(vectors).all() and np.array_equal(vectors[:4], before[:4])
    assert len(np.unique(vectors, axis=0)) == 6

    seen.clear()
    assert np.array_equal(teacher.teach(table, read, root=tmp_path, tick=quiet), vectors)
    assert not seen  # nothing is left to do, so nothing is read


@needs_dlib
@pytest.mark.slow
def test_an_unreadable_image_has_no_vector(table: Table, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    images = [bad, table.images[1]]  # type: ignore[index]
    broken = replace(table.select(np.arange(2)), images=images)
    vectors = teacher.teach(broken, decode, root=tmp_path / "cache", tick=quiet)
    assert np.isnan(vectors[0]).all() and np.isfinite(vectors[1]).all()
    assert np.linalg.norm(vectors[1]) == pytest.approx(1.3, abs=0.4)  # as dlib's vectors are


def test_other_pictures_of_the_same_names_are_other_vectors(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def fill(path: Path, *rest: object) -> NDArray[np.float32]:
        made.append(path)
        return np.zeros((6, 128), np.float32)

    monkeypatch.setattr(teacher, "_fill", fill)
    other = tmp_path / "other.jpg"
    other.write_bytes(b"x" * 100)
    images = list(table.images)  # type: ignore[arg-type]
    for change in (images, [other, *images[1:]], images):
        teacher.teach(replace(table, images=change), decode, root=tmp_path, tick=quiet)
    assert made[0] == made[2] != made[1]


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


def mean_colour(read: Callable[[Path | bytes], NDArray[np.uint8]]) -> object:
    """In place of dlib: a vector that tells the pictures apart."""
    return lambda image: np.full(128, read(image).mean(), np.float32)


def test_a_stream_is_taught_like_files_and_goes_on_where_it_was(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teacher, "_BLOCK", 2)
    monkeypatch.setattr(teacher, "_load", mean_colour)
    files = teacher.teach(table, decode, root=tmp_path / "files", tick=quiet)
    stream = Stream(table)
    streamed = replace(table, images=stream)

    def stop(done: int, every: int) -> None:
        assert (done, every, stream.given) == (2, 6, 8)  # all for the key, then one block
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teacher.teach(streamed, decode, root=tmp_path / "stream", tick=stop)
    vectors = teacher.teach(streamed, decode, root=tmp_path / "stream", tick=quiet)
    assert np.array_equal(vectors, files)
    assert stream.asked[-1] == [2, 3, 4, 5]
    assert len(np.unique(vectors[:, 0])) == 6


def test_a_selection_of_a_stream_is_taught(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teacher, "_load", mean_colour)
    files = teacher.teach(table, decode, root=tmp_path / "files", tick=quiet)
    chosen = replace(table, images=Stream(table)).select(np.array([1, 4]))
    vectors = teacher.teach(chosen, decode, root=tmp_path / "stream", tick=quiet)
    assert np.array_equal(vectors, files[[1, 4]])


def test_only_aligned_images_are_taught(table: Table, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--teacher-table"):
        teacher.teach(replace(table, aligned=None), decode, root=tmp_path, tick=quiet)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("missing", ["dlib", "face_recognition_models"])
def test_what_is_missing_is_named_in_one_line(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Spec:
        origin = "/nowhere/__init__.py"

    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else Spec()
    )
    with pytest.raises(MissingExtraError, match=rf"^{missing} .*teachers.*--teacher-table"):
        teacher.model_files()
