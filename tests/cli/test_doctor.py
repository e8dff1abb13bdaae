"""``facekit doctor``."""

from __future__ import annotations

from pathlib import Path

import pytest

from facekit.bundle import zoo


def states(answer) -> dict[str, str]:
    return {check["name"]: check["state"] for check in answer.json}


@pytest.fixture
def shipped(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny bundle in place of the default one."""
    monkeypatch.setattr(zoo, "find_bundle", lambda name: tiny_bundle)


def test_a_sound_installation_is_code_0(run, facekit_home: Path, shipped) -> None:
    answer = run("doctor", "--json")
    found = states(answer)
    assert answer.code == 0, answer.out
    assert found["FACEKIT_HOME"] == found["detector haar"] == found["onnxruntime"] == "ok"
    assert found["detector yunet"] == "absent"
    assert set(found.values()) <= {"ok", "absent"}


def test_the_table_says_the_same(run, facekit_home: Path, shipped) -> None:
    answer = run("doctor")
    assert answer.code == 0
    assert "FACEKIT_HOME" in answer.out and "fetch yunet" in answer.out


def test_a_home_that_cannot_be_written_is_code_1(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shipped
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "file"))
    answer = run("doctor", "--json")
    assert answer.code == 1
    assert states(answer)["FACEKIT_HOME"] == "broken"


def test_an_altered_model_is_code_1(run, facekit_home: Path, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(zoo, "find_bundle", lambda name: tmp_path)
    answer = run("doctor", "--json")
    assert answer.code == 1
    assert states(answer)[f"model {zoo.DEFAULT}"] == "broken"


def test_a_second_opencv_is_code_1(run, facekit_home: Path, shipped, monkeypatch) -> None:
    from importlib import metadata

    version = metadata.version
    monkeypatch.setattr(
        metadata, "version", lambda name: "4.12" if name == "opencv-python" else version(name)
    )
    answer = run("doctor", "--json")
    assert answer.code == 1
    assert states(answer)["opencv builds"] == "broken"
