"""Save and load the whole state of a training, atomically.

One ``.npz`` file holds every variable of model and optimiser (moments, step,
dropout seeds), the averaged weights and a JSON note. It replaces the last one in
a single rename, so a run killed at any moment leaves a whole checkpoint.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from facekit.arrays import AnyArray
from facekit.errors import InterruptedRunError
from facekit.heads.arrays import StoredArrays
from facekit.system.files import open_regular
from facekit.training.keras import to_numpy


def save_checkpoint(path: Path, model: keras.Model, note: dict[str, Any]) -> None:
    """Write model, optimiser and note.

    Args:
        path: Target file; its folder exists.
        model: Compiled and built.
        note: JSON-able progress (step, epoch, best, ...); its ``averaged`` list
            of arrays, if any, is stored beside the rest.
    """
    note = dict(note)
    averaged = note.pop("averaged", None) or []
    arrays = _numbered("model", model.variables)
    arrays |= _numbered("optimizer", model.optimizer.variables)
    arrays |= {f"averaged/{i}": value for i, value in enumerate(averaged)}
    arrays["note"] = np.array(json.dumps(note))
    _write(path, arrays)


def load_checkpoint(path: Path, model: keras.Model) -> dict[str, Any]:
    """Put a checkpoint back into a freshly compiled model.

    Args:
        path: File written by ``save_checkpoint``.
        model: Compiled model of the same recipe; changed in place.

    Returns:
        The note, with ``averaged`` as a list of float32 arrays.

    Raises:
        InterruptedRunError: The file does not fit the model or cannot be read.
    """
    model.optimizer.build(model.trainable_variables)
    with _stored(path, "resumed") as stored:
        _assign(stored, "model", model.variables)
        _assign(stored, "optimizer", model.optimizer.variables)
        note: dict[str, Any] = json.loads(str(stored["note"]))
        count = sum(name.startswith("averaged/") for name in stored)
        note["averaged"] = [stored[f"averaged/{i}"] for i in range(count)]
    return note


def save_weights(path: Path, values: Sequence[AnyArray]) -> None:
    """Write plain weights (of the best epoch, say)."""
    _write(path, {f"model/{i}": value for i, value in enumerate(values)})


def load_weights(path: Path) -> list[AnyArray]:
    """Read what ``save_weights`` wrote.

    Raises:
        InterruptedRunError: The file cannot be read.
    """
    with _stored(path, "read") as stored:
        return [stored[f"model/{i}"] for i in range(len(stored))]


@contextmanager
def _stored(path: Path, verb: str) -> Iterator[Any]:
    """The arrays of a file; whatever is wrong with them is one line."""
    try:
        with open_regular(path) as file:
            yield StoredArrays(file)
    except (OSError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise InterruptedRunError(
            f"{path} cannot be {verb} ({error}): start a new run with another --out"
        ) from error


def _numbered(prefix: str, variables: Sequence[Any]) -> dict[str, AnyArray]:
    return {f"{prefix}/{i}": to_numpy(v) for i, v in enumerate(variables)}


def _assign(stored: Any, prefix: str, variables: Sequence[Any]) -> None:
    count = sum(name.startswith(f"{prefix}/") for name in stored)
    if count != len(variables):
        raise ValueError(f"it holds {count} {prefix} arrays, the recipe makes {len(variables)}")
    for i, variable in enumerate(variables):
        value = stored[f"{prefix}/{i}"]
        if value.shape != tuple(variable.shape):
            raise ValueError(f"{prefix} array {i} is {value.shape}, not {tuple(variable.shape)}")
        variable.assign(value)


def _write(path: Path, arrays: dict[str, AnyArray]) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
