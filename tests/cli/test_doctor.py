"""``facekit doctor``."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from facekit.bundle import load as zoo


def states(answer) -> dict[str, str]:
    return {check["name"]: check["state"] for check in answer.json}


@pytest.fixture
def shipped(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny bundle in place of the default one."""
    monkeypatch.setattr(zoo, "find_bundle", lambda name: tiny_bundle)
    monkeypatch.setattr(zoo, "COMPANIONS", ())


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """facekit's requirements as pip would know them, whether it is installed or not."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    lines = list(project["dependencies"])
    for extra, wanted in project["optional-dependencies"].items():
        lines += [f"{line}; extra == '{extra}'" for line in wanted]
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    return lines


def test_every_requirement_is_listed_with_its_extra(
    run, facekit_home: Path, shipped, installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", none)
    found = {check["name"]: check for check in run("doctor", "--json").json}
    wanted = {re.split("[<>=;]", line)[0] for line in installed if "'dev'" not in line}
    assert {"platformdirs", "tomli-w", "importlib_resources", "face_recognition_models"} < wanted
    assert wanted <= set(found) and "pytest" not in found
    assert found["tomli-w"]["state"] == "broken"
    assert found["jax"]["detail"] == "pip install 'facekit-transfer[jax]'"
    assert (
        found["keras"]["detail"]
        == "pip install 'facekit-transfer[train]' or 'facekit-transfer[jax]'"
    )
    assert found["dlib-bin"]["state"] == "absent"


def test_a_folder_that_pip_does_not_know_says_so(
    run, facekit_home: Path, shipped, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", none)
    answer = run("doctor", "--json")
    assert (answer.code, states(answer)["packages"]) == (0, "absent")


@pytest.mark.parametrize(
    ("named", "missing", "words"),
    [
        ("", "tensorflow", "facekit-transfer[train]"),
        ("jax", "jax", "facekit-transfer[jax]"),
        ("torch", "", "tensorflow or jax"),
    ],
)
def test_the_training_backend_is_the_one_that_trains(
    run, facekit_home: Path, shipped, monkeypatch, named: str, missing: str, words: str
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setenv("KERAS_BACKEND", named)
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == missing else find(name, *a)
    )
    (check,) = (c for c in run("doctor", "--json").json if c["name"] == "training backend")
    assert check["state"] == "absent" and words in check["detail"]


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
    version = metadata.version
    monkeypatch.setattr(
        metadata, "version", lambda name: "4.12" if name == "opencv-python" else version(name)
    )
    answer = run("doctor", "--json")
    assert answer.code == 1
    assert states(answer)["opencv builds"] == "broken"
