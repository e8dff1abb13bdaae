"""``facekit predict --identities``: who is looked for, and how it is shown."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.bundle.load import load_bundle
from facekit.enrollment.person import Enrollment
from facekit.enrollment.store import write_enrollment
from facekit.heads.kinds import LinearHead


def enroll(tiny_bundle: Path, name: str, bias: float, **changes: object) -> None:
    """Somebody whose score is the bias, whatever the face."""
    head = LinearHead(
        parts=("identity",),
        labels=(name,),
        weight=np.zeros((8, 1)),
        bias=np.array([bias]),
        activation="none",
    )
    values: dict[str, object] = {
        "name": name, "head": head, "threshold": 1.0, "reject": 0.0, "platt": (1.0, 0.0),
        "key": load_bundle(tiny_bundle).key, "bundle": "tiny", "created": "now", **changes,
    }  # fmt: skip
    write_enrollment(Enrollment(**values), {})  # type: ignore[arg-type]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    assert cv2.imwrite(str(path), np.full((80, 200, 3), 99, np.uint8))
    return path


@pytest.fixture
def whole(tiny_bundle: Path, facekit_home: Path) -> tuple[str, ...]:
    """anna is surely in every face, me perhaps, bob never."""
    for name, bias in (("anna", 3.0), ("me", 0.5), ("bob", -4.0)):
        enroll(tiny_bundle, name, bias)
    return ("--model", str(tiny_bundle), "--detector", "none")


def test_json_has_everybody(run, photo: Path, whole) -> None:
    face = run("predict", photo, *whole, "--json").json[0]["faces"][0]
    verdicts = {name: one["verdict"] for name, one in face["identities"].items()}
    assert verdicts == {"anna": "yes", "bob": "no", "me": "unsure"}
    assert face["identities"]["anna"]["probability"] == pytest.approx(0.952574)


def test_the_table_says_who(run, photo: Path, whole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    answer = run("predict", photo, *whole)
    assert "who" in answer.out
    assert "anna: yes 95%, me: unsure 62%" in answer.out and "bob" not in answer.out
    assert "not bob" in run("predict", photo, *whole, "--identities", "bob").out


@pytest.mark.parametrize(
    ("wanted", "names"), [("none", None), ("me", {"me"}), ("me, bob", {"me", "bob"})]
)
def test_identities_chooses(run, photo: Path, whole, wanted: str, names: set[str] | None) -> None:
    answer = run("predict", photo, *whole, "--json", "--identities", wanted)
    face = answer.json[0]["faces"][0]
    assert (set(face["identities"]) if names else face.get("identities")) == names
    if not names:
        table = run("predict", photo, *whole, "--identities", "none")
        assert "who" not in table.out


def test_matches_count_those_it_is_not(run, photo: Path, whole, tmp_path: Path) -> None:
    face = run("predict", photo, *whole, "--json", "--identities", "matches").json[0]["faces"][0]
    every = run("predict", photo, *whole, "--json").json[0]["faces"][0]
    assert "identities_no" not in every
    assert face.pop("identities_no") == 1
    assert every["identities"].pop("bob")["verdict"] == "no"
    assert face == every
    run("forget", "anna", "--yes")
    run("forget", "me", "--yes")
    none = run("predict", photo, *whole, "--json", "--identities", "matches").json[0]["faces"][0]
    assert (none["identities"], none["identities_no"]) == ({}, 1)
    assert "nobody enrolled" in run("predict", photo, *whole, "--identities", "matches").out


def test_more_than_ten_are_matched(run, photo: Path, whole, tiny_bundle: Path) -> None:
    for number in range(8):
        enroll(tiny_bundle, f"p{number}", -4.0)
    asked = {one: run("predict", photo, *whole, "--json", "--identities", one) for one in
             ("auto", "all", "matches")}  # fmt: skip
    faces = {one: answer.json[0]["faces"][0] for one, answer in asked.items()}
    assert faces["auto"] == faces["matches"] and faces["auto"]["identities_no"] == 9
    assert (
        set(faces["auto"]["identities"]) == {"anna", "me"} and len(faces["all"]["identities"]) == 11
    )


@pytest.mark.parametrize("wanted", ["mee", "../x", "", "me,,bob"])
def test_unknown_names_are_code_2(run, photo: Path, whole, wanted: str) -> None:
    answer = run("predict", photo, *whole, "--identities", wanted)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)


def test_stale_ones_are_told_in_a_line_and_left_out(run, photo: Path, whole, tiny_bundle) -> None:
    enroll(tiny_bundle, "old", 3.0, key="0" * 16, bundle="former")
    answer = run("predict", photo, photo, *whole, "--json")
    assert answer.code == 0
    assert set(answer.json[0]["faces"][0]["identities"]) == {"anna", "bob", "me"}
    assert answer.err.count("\n") == 1
    assert "not looked for: old was enrolled with another backbone" in answer.err
    named = run("predict", photo, *whole, "--identities", "old")
    assert (named.code, named.out) == (2, "")


def test_pictures_show_verdicts(run, photo: Path, whole, tmp_path: Path) -> None:
    plain, named = tmp_path / "plain", tmp_path / "named"
    run("predict", photo, *whole, "--annotate", plain, "--identities", "none")
    run("predict", photo, *whole, "--annotate", named, "--identities", "anna")
    pictures = [cv2.imread(str(folder / "photo.faces.jpg")) for folder in (plain, named)]
    assert pictures[0].shape == pictures[1].shape
    assert np.abs(pictures[0].astype(int) - pictures[1]).max() > 100
