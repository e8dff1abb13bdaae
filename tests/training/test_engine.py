"""Which engine a recipe gets, and what is refused before data are read."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from facekit.errors import RecipeError
from facekit.recipe.schema import PretrainRecipe
from facekit.recipe.transfer import TransferRecipe
from facekit.training import engine
from facekit.training.engine import on_device, require_engine, start_training


def recipe(kind: str, randaugment: float = 0.0, precision: str = "auto") -> TransferRecipe:
    training = {"engine": kind, "precision": precision}
    mixing = {"randaugment": randaugment}
    return TransferRecipe.model_validate({"name": "x", "training": training, "mix": mixing})


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``machine("jax", True)``: the backend, and whether it has an accelerator."""

    def have(backend: str, accelerator: bool) -> list[Any]:
        started: list[Any] = []
        monkeypatch.setattr(engine, "require_backend", lambda: backend)
        monkeypatch.setattr(engine, "start_keras", lambda **given: started.append(given))
        config = SimpleNamespace(jax_compilation_cache_dir=None)
        config.update = lambda name, value: setattr(config, name, value)
        kind = "gpu" if accelerator else "cpu"
        jax = SimpleNamespace(default_backend=lambda: kind, config=config)
        monkeypatch.setitem(sys.modules, "jax", jax)
        return started

    return have


def test_the_device_engine_is_refused_where_it_cannot_run(machine: Any) -> None:
    machine("tensorflow", False)
    with pytest.raises(RecipeError, match=r"KERAS_BACKEND=jax, or --set training.engine=host"):
        require_engine(recipe("device"))
    require_engine(recipe("auto"))
    machine("jax", False)
    require_engine(recipe("device"))
    with pytest.raises(RecipeError, match=r"--set mix.randaugment=0"):
        require_engine(recipe("device", randaugment=0.5))
    with pytest.raises(ValueError, match="'auto', 'host' or 'device'"):
        recipe("gpu")


@pytest.mark.parametrize(
    ("kind", "backend", "accelerator", "wanted", "precision"),
    [
        ("auto", "tensorflow", True, False, "float32"),
        ("auto", "jax", False, False, "float32"),
        ("auto", "jax", True, True, "mixed_bfloat16"),
        ("host", "jax", True, False, "float32"),
        ("device", "jax", False, True, "float32"),
    ],
)
def test_auto_goes_by_what_there_is(
    machine: Any, kind: str, backend: str, accelerator: bool, wanted: bool, precision: str
) -> None:
    started = machine(backend, accelerator)
    assert on_device(recipe(kind)) is wanted
    start_training(recipe(kind))
    start_training(recipe(kind, precision="mixed_float16"))
    assert started == [{"seed": 0, "precision": p} for p in (precision, "mixed_float16")]


def test_randaugment_stays_on_the_host(machine: Any) -> None:
    machine("jax", True)
    assert not on_device(recipe("auto", randaugment=0.5))
    assert on_device(PretrainRecipe(name="x"))
    rand = {"name": "x", "mix": {"randaugment": 0.5}}
    assert not on_device(PretrainRecipe.model_validate(rand))
    with pytest.raises(RecipeError, match=r"--set mix.randaugment=0"):
        require_engine(PretrainRecipe.model_validate({**rand, "training": {"engine": "device"}}))


def test_what_jax_compiles_is_kept_for_an_accelerator_alone(
    machine: Any, facekit_home: Path
) -> None:
    def place(accelerator: bool, chosen: str | None = None) -> str | None:
        machine("jax", accelerator)
        config = sys.modules["jax"].config
        config.jax_compilation_cache_dir = chosen
        start_training(recipe("auto"))
        kept: str | None = config.jax_compilation_cache_dir
        return kept

    assert place(False) is None
    assert place(True) == str(facekit_home / "cache" / "jax")
    assert place(True, "/elsewhere") == "/elsewhere"
