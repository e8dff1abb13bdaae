"""``facekit enrolled`` and ``facekit forget``."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.bundle.load import load_bundle
from facekit.enrollment.person import Enrollment
from facekit.enrollment.store import write_enrollment
from facekit.heads.kinds import LinearHead

FACTS: dict[str, Any] = {
    "photos_used": 7,
    "sessions": 3,
    "words": ["1 % of strangers pass."],
    "photos": [{"file": "a.jpg", "used": True, "code": "", "reason": "", "session": 0}],
}


def enroll(name: str, key: str) -> None:
    head = LinearHead(
        parts=("identity",),
        labels=(name,),
        weight=np.zeros((8, 1)),
        bias=np.zeros(1),
        activation="none",
    )
    one = Enrollment(
        name=name, head=head, threshold=1.0, reject=0.5, platt=(1.0, 0.0), key=key,
        bundle="tiny", created="2026-01-02", facts=FACTS,
    )  # fmt: skip
    write_enrollment(one, {"vectors": np.zeros((1, 8), np.float32)})


@pytest.fixture
def people(facekit_home: Path, tiny_bundle: Path) -> Path:
    """me and anna are enrolled with a model that is there; the home folder."""
    shutil.copytree(tiny_bundle, facekit_home / "models" / "tiny")
    for name in ("me", "anna"):
        enroll(name, load_bundle(tiny_bundle).key)
    return facekit_home


def test_nobody_yet_is_no_error(run, facekit_home: Path) -> None:
    answer = run("enrolled")
    assert answer.code == 0
    assert "nobody is enrolled" in answer.out
    assert run("enrolled", "--json").json == []
    assert list(facekit_home.iterdir()) == []


def test_everybody_is_listed(run, people: Path) -> None:
    answer = run("enrolled")
    assert answer.code == 0
    assert "anna" in answer.out and "me" in answer.out
    rows = run("enrolled", "--json").json
    expected = {
        "photos_used": 7, "sessions": 3, "created": "2026-01-02", "model": "tiny", "state": "ok",
    }  # fmt: skip
    assert rows == [{"name": "anna", **expected}, {"name": "me", **expected}]


def test_stale_and_damaged_ones_are_code_1(run, people: Path) -> None:
    enroll("old", "0" * 16)
    (people / "enrolled" / "me" / "head.npz").write_bytes(b"")
    answer = run("enrolled", "--json")
    assert answer.code == 1
    states = {row["name"]: row["state"] for row in answer.json}
    assert states["anna"] == "ok"
    assert "enrol again" in states["old"] and "altered" in states["me"]
    assert run("enrolled").code == 1


def test_one_person_is_shown_whole_and_checked(run, people: Path) -> None:
    answer = run("enrolled", "me")
    assert answer.code == 0
    for words in ("1 of 1 photos used", "a.jpg", "1 % of strangers pass.", "tiny"):
        assert words in answer.out
    record = run("enrolled", "me", "--json").json
    assert (record["name"], record["state"], record["words"]) == ("me", "ok", FACTS["words"])
    (people / "enrolled" / "me" / "photos.npz").write_bytes(b"")
    broken = run("enrolled", "me")
    assert (broken.code, broken.out, broken.err.count("\n")) == (2, "", 1)
    assert run("enrolled", "mee").code == 2


def test_forgetting_needs_a_yes(run, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = run("forget", "me")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "--yes" in answer.err
    for typed, code, there in (("n\n", 1, True), ("y\n", 0, False)):
        stream = io.StringIO(typed)
        stream.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr(sys, "stdin", stream)
        assert run("forget", "me").code == code
        assert (people / "enrolled" / "me").exists() is there


def test_what_was_removed_is_named(run, people: Path) -> None:
    answer = run("forget", "me", "--yes")
    assert answer.code == 0
    removed = [line.split()[-1] for line in answer.out.splitlines()]
    folder = people / "enrolled" / "me"
    assert sorted(removed) == [str(folder / n) for n in ("head.npz", "manifest.json", "photos.npz")]
    assert run("enrolled", "--json").json[0]["name"] == "anna"
    again = run("forget", "me", "--yes")
    assert again.code == 2
    assert "nobody is enrolled as 'me'" in again.err


def test_a_changed_copy_is_left_and_told(run, facekit_home: Path, tmp_path: Path) -> None:
    enroll("me", "0" * 16)
    page = tmp_path / "me.html"
    from facekit.enrollment.read import read_enrollment
    from facekit.enrollment.store import state_of

    write_enrollment(
        read_enrollment("me"),
        {},
        replaces=state_of("me"),
        copies={page: b"<title>Enrolled: me</title>"},
    )
    page.write_text("my notes")
    answer = run("forget", "me", "--yes")
    assert answer.code == 1
    assert "me.html is no page of me that facekit wrote, or was changed since" in answer.err
    assert page.read_text() == "my notes"


@pytest.mark.parametrize("name", ["../models", "/etc", "all"])
def test_names_cannot_point_elsewhere(run, people: Path, name: str) -> None:
    answer = run("forget", name, "--yes")
    assert (answer.code, answer.out) == (2, "")
    assert (people / "models" / "tiny").exists()


def test_whose_vectors_are_kept_too_is_said_and_goes(
    run, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {"faces": 3, "people": 2, "whose": {"anna": 2, "bob\x1b[31m": 1}}
    monkeypatch.setitem(FACTS, "negatives", kept)
    enroll("fam", "0" * 16)
    whose = r"vectors of 3 faces of 2 others from --negatives: anna (2), bob\x1b[31m (1)"
    assert whose in run("enrolled", "fam").out
    assert "--negatives" not in run("enrolled", "me").out
    answer = run("forget", "fam", "--yes")
    assert f"gone with it: {whose}" in answer.out
    assert "gone with it" not in run("forget", "me", "--yes").out
