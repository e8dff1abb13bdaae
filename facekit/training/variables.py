"""Copy Keras variables out to NumPy and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["assign_all", "to_numpy"]


def to_numpy(variable: Any) -> NDArray[Any]:
    """A copy of a variable's value, with its own dtype."""
    value = variable.value
    # NumPy 2 warns when it is handed a TensorFlow variable itself.
    return np.array(value.numpy() if hasattr(value, "numpy") else value)


def assign_all(variables: Sequence[Any], values: Sequence[NDArray[Any]]) -> None:
    """Give every variable its value.

    Raises:
        ValueError: Their numbers differ.
    """
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
