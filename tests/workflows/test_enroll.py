"""Enrolment from photos to an answer, with the shipped backbone and drawn people."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import facekit
from facekit.cartoon import draw_face, make_person
from facekit.enrollment.person import Enrollment
from facekit.enrollment.read import read_enrollment, read_photos
from facekit.enrollment.store import forget
from facekit.errors import DataError, RecipeError, UsageError

pytestmark = pytest.mark.slow

MOODS = ("neutral", "happy", "sad", "surprise")


def photos(folder: Path, person: int, count: int, first: int = 0) -> Path:
    """Draw photos of one person, no two of the same look."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + count):
        rng = np.random.default_rng([person, i])
        face = draw_face(make_person(5, person), MOODS[i % 4], rng, (178, 218))[0]
        assert cv2.imwrite(str(folder / f"{i:02}.png"), face[:, :, ::-1])
    return folder


def enroll(data: Path, **options: Any) -> Enrollment:
    return facekit.enroll(data, detector="none", progress=False, augment=2, **options)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home where one person is enrolled; tests that change it copy it."""
    root = tmp_path_factory.mktemp("enrolled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEKIT_HOME", str(root / "home"))
        enroll(photos(root / "mine", 1, 6), out=root / "out", negatives=photos(root / "sis", 2, 4))
        yield root


@pytest.fixture
def copied(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(home / "home", tmp_path / "home")
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_folders_that_may_not_be_read_are_told_and_counted(
    copied: Path, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mine, sister = copied / "mine", copied / "sis"
    shutil.copytree(home / "mine", mine)
    shutil.copytree(home / "sis", sister)
    closed = {str(folder / "closed") for folder in (mine, sister)}
    for folder in closed:
        Path(folder).mkdir()

    def scandir(path: str, real: Any = os.scandir) -> Any:
        if str(path) in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    facts = enroll(mine, name="again", negatives=sister).facts
    assert (facts["not_read"], facts["negatives"]["not_read"]) == (1, 1)
    assert all(any(folder in line for line in caplog.messages) for folder in closed)


def test_what_is_kept(home: Path) -> None:
    folder = home / "home" / "enrolled" / "me"
    assert sorted(path.name for path in folder.iterdir()) == [
        "head.npz",
        "manifest.json",
        "photos.npz",
        "report.html",
    ]
    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {"0o600"}
    facts = json.loads((folder / "manifest.json").read_text())["facts"]
    assert facts["photos_used"] == 6
    assert facts["recipe"]["augment"]["copies"] == 2
    assert facts["negatives"]["faces"] + facts["negatives"]["own_faces_left_out"] == 4
    assert "data:image" not in (folder / "report.html").read_text()
    assert not [name for name in read_photos("me") if name == "crops"]


def test_the_users_folder_shows_the_faces(home: Path) -> None:
    assert (home / "out" / "me.html").read_text().count("data:image") >= 7
    sheet = cv2.imread(str(home / "out" / "me-augmented.png"))
    assert sheet is not None
    assert sheet.shape == (6 * 82 + 2, 3 * 82 + 2, 3)


def test_the_person_is_recognised_in_a_new_photo(home: Path, tmp_path: Path) -> None:
    new = photos(tmp_path, 1, 1, first=20) / "20.png"
    face = facekit.load(detector="none").analyze(new).faces[0]
    assert face.identities["me"]["verdict"] == "yes"
    assert face.record()["identities"]["me"]["probability"] > 0.5
    found = read_enrollment("me").verify(new, detector="none")
    assert found[0][1].score == pytest.approx(face.identities["me"]["score"], abs=1e-4)


def test_the_same_photos_give_the_same_neuron(home: Path, tmp_path: Path) -> None:
    again = enroll(home / "mine", name="again", negatives=home / "sis")
    first = read_enrollment("me")
    np.testing.assert_allclose(again.head.weights()["weight"], first.head.weights()["weight"])
    assert again.threshold == pytest.approx(first.threshold)
    forget("again")


def test_adding_reads_no_old_photo(copied: Path) -> None:
    before = read_photos("me")
    more = photos(copied / "more", 1, 2, first=6)
    done = enroll_more(more)
    after = read_photos("me")
    assert done.facts["photos_used"] == 8
    for name in ("view_plain", "photo_vectors"):
        np.testing.assert_array_equal(after[name][:6], before[name])
    assert len(after["view_photo"]) == 16
    np.testing.assert_array_equal(after["negative_vectors"], before["negative_vectors"])


def enroll_more(data: Path, **options: Any) -> Enrollment:
    return facekit.enroll(data, add=True, detector="none", progress=False, **options)


def test_a_known_photo_is_not_added_twice(copied: Path, home: Path) -> None:
    with pytest.raises(DataError, match=r"none of 6 photos can be used .*; the enrolment stays"):
        enroll_more(home / "mine")
    assert read_enrollment("me").facts["photos_used"] == 6


@pytest.mark.parametrize(
    "options", [{"augment": 3}, {"fmr": 0.1}, {"recipe": "me"}, {"overrides": ["seed=1"]}]
)
def test_an_added_photo_changes_no_recipe(copied: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="keeps its recipe"):
        enroll_more(photos(copied / "more", 1, 1, first=9), **options)


def test_faces_are_kept_when_asked(copied: Path) -> None:
    enroll(photos(copied / "kept", 3, 3), name="kept", keep_crops=True)
    assert read_photos("kept")["crops"].shape == (3, 80, 80, 3)
    page = copied / "home" / "enrolled" / "kept" / "report.html"
    assert page.read_text().count("data:image") >= 3
    facekit.enroll(
        photos(copied / "new", 3, 1, first=5),
        name="kept",
        add=True,
        detector="none",
        progress=False,
    )
    assert read_photos("kept")["crops"].shape == (4, 80, 80, 3)


def test_forgetting_takes_the_users_copies_too(copied: Path) -> None:
    enroll(photos(copied / "mine", 4, 3), name="gone", out=copied / "page")
    assert sorted(os.listdir(copied / "page")) == ["gone-augmented.png", "gone.html"]
    forget("gone")
    assert not (copied / "home" / "enrolled" / "gone").exists()
    assert not list((copied / "page").iterdir())


def test_no_copies(copied: Path) -> None:
    done = facekit.enroll(
        photos(copied / "mine", 4, 3), name="plain", augment=0, detector="none", progress=False
    )
    assert len(read_photos("plain")["view_copies"]) == 0
    assert done.facts["photos_used"] == 3


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"name": "../me"}, UsageError, "name"),
        ({"fmr": 2.0}, RecipeError, "claim.fmr"),
        ({"recipe": "fer-full"}, RecipeError, "facekit transfer"),
        ({"negatives": Path("nowhere")}, UsageError, "nowhere does not exist"),
    ],
)
def test_bad_options_leave_nothing(
    facekit_home: Path, tmp_path: Path, options: dict[str, Any], error: type, words: str
) -> None:
    mine = photos(tmp_path / "mine", 1, 2)
    with pytest.raises(error, match=words):
        enroll(mine, **options)
    assert not (facekit_home / "enrolled").exists()


def test_photos_that_are_none(facekit_home: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no picture"):
        enroll(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"none of 1 photos can be used \(1: cannot be read\)"):
        enroll(tmp_path / "a.jpg")
    assert not (facekit_home / "enrolled").exists()


def test_out_that_is_a_file_enrols_nobody(facekit_home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is a file"):
        enroll(photos(tmp_path / "mine", 1, 2), out=tmp_path / "file")
    assert not (facekit_home / "enrolled" / "me").exists()
