"""Photos of others: who counts as one person, and who is the person himself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from facekit.enrollment import impostors as negatives
from facekit.enrollment.impostors import no_negatives, read_negatives, stored_negatives
from facekit.errors import DataError

D = 32


def unit(seed: int) -> np.ndarray:
    v = np.random.default_rng(seed).normal(size=D)
    return np.asarray(v / np.linalg.norm(v), np.float32)


def near(vector: np.ndarray, seed: int, noise: float = 0.3) -> np.ndarray:
    v = vector + noise * unit(1000 + seed)
    return np.asarray(v / np.linalg.norm(v), np.float32)


STRANGERS = np.stack([unit(seed) for seed in range(100, 500)])
OWN = np.stack([near(unit(0), seed) for seed in range(6)])


def read(monkeypatch: pytest.MonkeyPatch, photos: dict[str, list[Any]]) -> Any:
    """Each photo's faces as vectors; None in a list is a face with a flaw."""

    def look(files: list[Path], *_: Any) -> list[Any]:
        return [
            SimpleNamespace(
                looks=[SimpleNamespace(flaw="dark" if v is None else None) for v in photos[str(f)]],
                vectors=np.stack([unit(9) if v is None else v for v in photos[str(f)]])
                if photos[str(f)]
                else np.zeros((0, 0), np.float32),
            )
            for f in files
        ]

    monkeypatch.setattr(negatives, "examine_all", look)
    return read_negatives([Path(name) for name in photos], None, OWN, STRANGERS)  # type: ignore[arg-type]


def test_every_usable_face_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, {"a.jpg": [unit(1), unit(2)], "b.jpg": [], "c.jpg": [None]})
    np.testing.assert_array_equal(found.vectors, [unit(1), unit(2)])
    assert found.record() == {
        "whose": {"a.jpg": 2},
        "photos": 3,
        "faces": 2,
        "people": 2,
        "unusable_photos": 2,
        "own_faces_left_out": 0,
    }


def test_alike_faces_are_one_person_wherever_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    photos = {"x/a.jpg": [unit(1)], "x/b.jpg": [unit(2)], "y/c.jpg": [near(unit(1), 3), unit(4)]}
    people = read(monkeypatch, photos).people
    assert people[0] == people[1] == people[2] == people[3]  # folders and likeness join
    loose = {"a.jpg": [unit(1)], "b.jpg": [near(unit(1), 3)], "c.jpg": [unit(2)]}
    people = read(monkeypatch, loose).people
    assert people[0] == people[1] != people[2]


def test_whose_vectors_are_kept_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    photos = {
        "fam/anna/1.jpg": [unit(1)],
        "fam/anna/2.jpg": [unit(2)],
        "fam/bo\udcff/1.jpg": [unit(3)],
    }
    found = read(monkeypatch, photos)
    assert found.record()["whose"] == {"anna": 2, "bo\\udcff": 1}
    again = stored_negatives(found.arrays(), D)
    assert again.record()["whose"] == found.record()["whose"]
    older = {k: v for k, v in found.arrays().items() if k != "negative_sources"}
    assert stored_negatives(older, D).record()["whose"] == {}
    with pytest.raises(DataError, match="does not fit together"):
        stored_negatives({**found.arrays(), "negative_sources": np.zeros(3)}, D)


def test_the_person_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, {"family.jpg": [near(unit(0), 77, 0.2), unit(5)]})
    assert found.own == 1
    np.testing.assert_array_equal(found.vectors, [unit(5)])


def test_photos_of_the_person_alone_are_no_negatives(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mine = {f"{k}.jpg": [near(unit(0), 80 + k, 0.5)] for k in range(5)}
    with pytest.raises(DataError, match="all 5 faces in the photos of others are the person's own"):
        read(monkeypatch, mine)
    with pytest.raises(DataError, match="all 2 faces"):  # byte for byte, or copied
        read(monkeypatch, {"a.jpg": [OWN[0]], "b.jpg": [OWN[1]]})
    found = read(monkeypatch, {**mine, "sis.jpg": [unit(5), unit(6)]})
    assert found.own == 5
    np.testing.assert_array_equal(found.vectors, [unit(5), unit(6)])
    assert "5 of 7 faces in the photos of others are the person's own" in caplog.text


def test_one_own_photo_leaves_out_the_same_face_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.OWN", OWN[:1])
    found = read(monkeypatch, {"a.jpg": [OWN[0], near(OWN[0], 1)]})
    assert found.own == 1


def test_no_face_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="none of 2 photos of others"):
        read(monkeypatch, {"a.jpg": [], "b.jpg": [None]})


def test_stored_and_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, {"a.jpg": [unit(1), unit(2)]})
    again = stored_negatives(found.arrays(), D)
    np.testing.assert_array_equal(again.vectors, found.vectors)
    np.testing.assert_array_equal(again.people, found.people)
    assert len(stored_negatives({}, D).vectors) == len(no_negatives(D).vectors) == 0
    with pytest.raises(DataError, match="does not fit together"):
        stored_negatives({**found.arrays(), "negative_people": np.zeros(3)}, D)
