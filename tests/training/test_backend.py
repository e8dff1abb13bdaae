"""What training needs is asked for before it starts."""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace

import pytest

from facekit.errors import MissingExtraError, UsageError
from facekit.training.backend import require_backend


@pytest.fixture
def hide(monkeypatch: pytest.MonkeyPatch):
    """``hide("onnx")``: every module but that one is installed."""

    def only(missing: str, backend: str = "") -> None:
        monkeypatch.setenv("KERAS_BACKEND", backend)
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name: None if name == missing else SimpleNamespace(name=name),
        )

    return only


@pytest.mark.parametrize(
    ("backend", "missing", "extra"),
    [
        ("", "tensorflow", "train"),
        ("", "onnx", "train"),
        ("tensorflow", "keras", "train"),
        ("jax", "jax", "jax"),
        ("jax", "onnx", "jax"),
    ],
)
def test_the_missing_module_and_its_extra_are_named(
    hide, backend: str, missing: str, extra: str
) -> None:
    hide(missing, backend)
    with pytest.raises(MissingExtraError, match=rf"^{missing} is .*facekit-transfer\[{extra}\]"):
        require_backend()


@pytest.mark.parametrize(
    ("backend", "runs"), [("", "tensorflow"), ("tensorflow", "tensorflow"), ("jax", "jax")]
)
def test_the_backend_that_runs(hide, backend: str, runs: str) -> None:
    before = set(sys.modules)
    hide("nothing", backend)
    assert require_backend() == runs
    assert not {"keras", "tensorflow", "jax", "onnx"} & (set(sys.modules) - before)


def test_another_backend_is_refused(hide) -> None:
    hide("nothing", "torch")
    with pytest.raises(UsageError, match="tensorflow or jax"):
        require_backend()
