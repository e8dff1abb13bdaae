"""Everybody enrolled is looked for in every face."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.bundle.bundle import identity_vectors
from facekit.bundle.load import load_bundle
from facekit.enrollment.person import Enrollment
from facekit.enrollment.store import write_enrollment
from facekit.errors import BundleError, UsageError
from facekit.heads.kinds import LinearHead
from facekit.predict import load
from facekit.system.home import enrolled_folder

RNG = np.random.default_rng(0)
#: A red and a blue face, with a little noise.
RED, BLUE = (
    np.clip(RNG.normal(colour, 9, (90, 90, 3)), 0, 255).astype(np.uint8)
    for colour in ((200, 30, 30), (30, 30, 200))
)


def enroll(tiny_bundle: Path, name: str, face: np.ndarray, **changes: object) -> Enrollment:
    """Somebody who looks like one picture."""
    bundle = load_bundle(tiny_bundle)
    vector = identity_vectors(bundle, cv2.resize(face, (40, 40))[None])
    head = LinearHead(
        parts=("identity",), labels=(name,), weight=10 * vector.T, bias=np.array([-9.0]),
        activation="none",
    )  # fmt: skip
    values: dict[str, object] = {
        "name": name, "head": head, "threshold": 0.8, "reject": 0.5, "platt": (3.0, 0.0),
        "key": bundle.key, "bundle": "tiny", "created": "now", **changes,
    }  # fmt: skip
    one = Enrollment(**values)  # type: ignore[arg-type]
    write_enrollment(one, {"vectors": vector})
    return one


@pytest.fixture
def people(tiny_bundle: Path, facekit_home: Path) -> Path:
    """Red and Blue are enrolled; the folder of the model they were enrolled with."""
    enroll(tiny_bundle, "red", RED)
    enroll(tiny_bundle, "blue", BLUE)
    return tiny_bundle


def test_every_face_has_an_answer_for_everybody(people: Path) -> None:
    model = load(people, detector="none")
    faces = [one.faces[0] for one in model.analyze_many([RED, BLUE])]
    for face, who in zip(faces, ("red", "blue"), strict=True):
        assert list(face.identities) == ["blue", "red"]
        assert face.identities[who]["verdict"] == "yes"
        assert face.identities["blue" if who == "red" else "red"]["verdict"] == "no"
        assert face.identities[who]["probability"] > 0.9
        record = face.record()
        assert list(record) == ["box", "detection_score", "attributes", "identities"]
        assert list(record["identities"][who]) == ["score", "probability", "verdict"]
        assert json.loads(json.dumps(record)) == record
    mirrored = model.analyze(np.ascontiguousarray(RED[:, ::-1])).faces[0]
    assert mirrored.identities["red"]["score"] == pytest.approx(
        faces[0].identities["red"]["score"], abs=1e-3
    )


def test_without_enrolments_the_record_is_as_it_was(tiny_bundle: Path, facekit_home: Path) -> None:
    face = load(tiny_bundle, detector="none").analyze(RED).faces[0]
    assert list(face.record()) == ["box", "detection_score", "attributes"]
    assert face.identities == {}
    assert list(facekit_home.iterdir()) == []


def test_identities_chooses_who_is_looked_for(people: Path) -> None:
    for wanted, names in (("all", {"red", "blue"}), ("none", set()), ("red", {"red"}),
                          (["blue"], {"blue"})):  # fmt: skip
        face = load(people, detector="none", identities=wanted).analyze(RED).faces[0]
        assert set(face.identities) == names
    with pytest.raises(UsageError, match=r"nobody is enrolled as 'rde' .*mean red"):
        load(people, detector="none", identities="rde")


def test_stale_and_damaged_ones_are_told_and_left_out(
    people: Path, caplog: pytest.LogCaptureFixture
) -> None:
    enroll(people, "old", RED, key="0" * 16, bundle="former")
    (enrolled_folder() / "blue" / "head.npz").write_bytes(b"")
    model = load(people, detector="none")
    assert len([r for r in caplog.records if "not looked for" in r.getMessage()]) == 2
    assert set(model.analyze(RED).faces[0].identities) == {"red"}
    with pytest.raises(BundleError, match="old was enrolled with another backbone"):
        load(people, detector="none", identities=["old"])
    caplog.clear()
    load(people, detector="none", identities="red")
    assert not caplog.records
