"""Whether what a recipe expects still holds once some of its keys are changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["same_system"]

#: Keys that say how long and where a system is trained, not what it is.
_CIRCUMSTANCES: Final = (
    "training.epochs",
    "training.seed",
    "training.checkpoint_minutes",
    "training.keras_file",
    "data.cross",
    "data.cross_sample",
    "data.validation",
    "backbone.weights",  # a file of the user's; but see _random
    "model",
)
_MISSING: Final = object()


def same_system(base: Mapping[str, Any], changed: Mapping[str, Any]) -> bool:
    """Compare two contents of a recipe.

    Args:
        base: As its file has it.
        changed: The same after overrides.

    Returns:
        Whether only circumstances differ: numbers published or measured for the one
        may stand beside a run of the other.
    """
    for key in _different(base, changed):
        if key not in _CIRCUMSTANCES or (key == "backbone.weights" and _random(changed)):
            return False
    return True


def _random(content: Mapping[str, Any]) -> bool:
    """Weights that were to be somebody's and are nobody's now."""
    return bool(content["backbone"].get("weights") == "none")


def _different(one: Mapping[str, Any], two: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key in {**one, **two}:
        a, b = one.get(key, _MISSING), two.get(key, _MISSING)
        if isinstance(a, Mapping) or isinstance(b, Mapping):
            yield from _different(_table(a), _table(b), f"{above}{key}.")
        elif a != b:
            yield f"{above}{key}"


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
