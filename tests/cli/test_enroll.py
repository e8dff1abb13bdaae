"""``facekit enroll``: what reaches the workflow, what is asked, what is printed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from facekit.cli import enroll as verb
from facekit.enrollment.person import Enrollment
from facekit.enrollment.store import state_of, write_enrollment
from facekit.heads.kinds import LinearHead
from facekit.results import Face

FACTS: dict[str, Any] = {
    "photos_used": 1,
    "photos_refused": 1,
    "sessions": 1,
    "words": ["1 % of strangers pass.", "0.1 % cannot be claimed."],
    "photos": [
        {"file": "a.jpg", "used": True, "code": "", "reason": "", "session": 0},
        {"file": "b.jpg", "used": False, "code": "blurred", "reason": "blurred", "session": None},
    ],
}


def enrollment(name: str) -> Enrollment:
    head = LinearHead(
        parts=("identity",),
        labels=(name,),
        weight=np.zeros((8, 1)),
        bias=np.zeros(1),
        activation="none",
    )
    return Enrollment(
        name=name, head=head, threshold=1.0, reject=0.5, platt=(1.0, 0.0), key="0" * 16,
        bundle="tiny", created="now", facts=FACTS,
    )  # fmt: skip


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, facekit_home: Path) -> list[dict[str, Any]]:
    """What the workflow is called with; it enrols nobody, and prints."""
    seen: list[dict[str, Any]] = []

    def run(photos: list[Path], **options: Any) -> Enrollment:
        print("a library talks")
        seen.append({"photos": photos, **options})
        return enrollment(options["name"])

    module = ModuleType("facekit.workflows.enroll")
    module.enroll = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "facekit.workflows.enroll", module)
    return seen


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        assert cv2.imwrite(str(folder / name), np.zeros((9, 9, 3), np.uint8))
    return folder


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``terminal("y")``: somebody sits there and types this."""

    def sit(text: str) -> None:
        import io

        stream = io.StringIO(text)
        stream.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr(sys, "stdin", stream)

    return sit


def test_defaults_are_left_to_the_workflow(run, calls, album: Path) -> None:
    answer = run("enroll", album)
    assert answer.code == 0
    [call] = calls
    assert call.pop("photos") == [album / "a.jpg", album / "b.jpg"]
    assert call == {
        "name": "me", "negatives": None, "fmr": None, "augment": None, "add": False, "out": None,
        "recipe": None, "overrides": (), "model": None, "detector": "auto", "keep_crops": False,
        "ask": None,
    }  # fmt: skip


def test_every_option_arrives(run, calls, album: Path, tmp_path: Path) -> None:
    answer = run(
        "enroll", album / "a.jpg", "--name", "Anna B. C", "--negatives", tmp_path, "--fmr", "0.001",
        "--augment", 0, "--out", tmp_path / "out", "--recipe", "me", "--set", "head.kind=centroid",
        "--set", "seed=3", "--model", "tiny", "--detector", "haar", "--keep-crops",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    [call] = calls
    assert call == {
        "photos": [album / "a.jpg"], "name": "Anna B. C", "negatives": tmp_path, "fmr": 0.001,
        "augment": 0, "add": False, "out": tmp_path / "out", "recipe": "me",
        "overrides": ["head.kind=centroid", "seed=3"], "model": "tiny", "detector": "haar",
        "keep_crops": True, "ask": None,
    }  # fmt: skip


def test_people_read_photos_reasons_claims_and_where_it_is(
    run, calls, album: Path, facekit_home: Path
) -> None:
    answer = run("enroll", album)
    for words in ("1 of 2 photos used", "a.jpg", "blurred", *FACTS["words"]):
        assert words in answer.out
    assert str(facekit_home / "enrolled" / "me" / "report.html") in answer.out.replace("\n", "")
    assert "facekit forget" in answer.out
    assert "a library talks" not in answer.out


def test_programs_read_json_and_nothing_else(run, calls, album: Path) -> None:
    record = run("enroll", album, "--json").json
    assert record["name"] == "me"
    assert record["photos"] == FACTS["photos"]
    assert record["threshold"] == 1.0


def test_inputs_that_are_no_photos_are_told(run, calls, album: Path, tmp_path: Path) -> None:
    answer = run("enroll", album / "a.jpg", tmp_path / "gone.jpg")
    assert answer.code == 0
    assert "gone.jpg: no such file" in answer.err
    nothing = run("enroll", tmp_path / "gone.jpg")
    assert nothing.code == 2
    assert "no photo to enrol from" in nothing.err
    assert len(calls) == 1


@pytest.mark.parametrize("name", ["../x", "all", ""])
def test_names_are_checked_before_anything_is_read(run, calls, album: Path, name: str) -> None:
    answer = run("enroll", album, "--name", name)
    assert (answer.code, answer.out, calls) == (2, "", [])
    assert answer.err.count("\n") == 1


def test_somebody_enrolled_is_not_replaced_unasked(run, calls, album: Path) -> None:
    write_enrollment(enrollment("me"), {})
    answer = run("enroll", album)
    assert (answer.code, calls) == (2, [])
    assert answer.err.count("\n") == 1
    assert "--add" in answer.err and "--yes" in answer.err
    assert run("enroll", album, "--yes").code == 0
    assert run("enroll", album, "--add").code == 0
    assert [call["add"] for call in calls] == [False, True]
    assert run("enroll", album, "--name", "you").code == 0


def test_somebody_at_a_terminal_is_asked(run, calls, album: Path, terminal) -> None:
    write_enrollment(enrollment("me"), {})
    terminal("n\n")
    assert run("enroll", album).code == 1
    assert calls == []
    terminal("y\n")
    answer = run("enroll", album, "--json")
    assert answer.code == 0
    assert answer.json["name"] == "me", "the question is not on standard output"
    assert calls[0]["ask"] is not None


def test_adding_to_nobody_is_refused(run, calls, album: Path) -> None:
    answer = run("enroll", album, "--add")
    assert (answer.code, calls) == (2, [])
    assert "leave --add out" in answer.err


def face(x: int) -> Face:
    return Face((x, 5, 40, 50), 1.0, np.zeros((8, 8, 3), np.uint8), {}, {})


@pytest.mark.parametrize(
    ("typed", "chosen"), [("1\n", 1), ("2\n", 2), ("3\n", 0), ("\n", None), ("9\nx\n0\n2\n", 2)]
)
def test_faces_are_numbered_from_left_to_right(
    terminal, typed: str, chosen: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(typed)
    assert verb._ask(Path("group\x1b.jpg"), [face(300), face(10), face(90)]) == chosen
    err = capsys.readouterr().err
    assert "1: 40 x 50 pixels at 10, 5" in err and "\x1b" not in err


def test_yes_asks_about_no_photo(run, calls, album: Path, terminal) -> None:
    terminal("")
    run("enroll", album, "--yes")
    run("enroll", album)
    assert calls[0]["ask"] is None and calls[1]["ask"] is verb._ask
    assert state_of("me") == ""
