"""One line for the user out of what pydantic reports about a recipe."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from facekit.recipe.extends import EXTENDS

__all__ = ["explain", "nearest"]


def nearest(given: object, allowed: Iterable[str]) -> str:
    """End of an error message that helps with a name.

    Args:
        given: What the user wrote.
        allowed: The names that exist.

    Returns:
        ``"; did you mean X? Allowed: ..."`` with the part about X left out when
        nothing is close.
    """
    names = list(allowed)
    lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(str(given).lower(), lower, n=1)
    hint = f"; did you mean {lower[close[0]]}?" if close else ";"
    return f"{hint} Allowed: {', '.join(names) or 'none'}"


def explain(error: ValidationError, schema: type[BaseModel]) -> str:
    """The first fault in words, and how many more there are.

    Args:
        error: What pydantic raised.
        schema: The model that was validated.

    Returns:
        One line: the dotted key, what is wrong, what is allowed.
    """
    faults = error.errors(include_url=False)
    # An unknown key is what the user has to mend first: it explains the others.
    faults.sort(key=lambda fault: fault["type"] != "extra_forbidden")
    text = _one(faults[0], schema)  # type: ignore[arg-type]
    more = len(faults) - 1
    return text + (f" (and {more} more)" if more else "")


def _one(fault: dict[str, Any], schema: type[BaseModel]) -> str:
    place = [str(part) for part in fault["loc"] if part != "[key]"]
    key = ".".join(place)
    if fault["type"] == "extra_forbidden":
        return f"unknown key {key}{nearest(place[-1], _names(schema, place[:-1]))}"
    if fault["type"] == "literal_error":
        allowed = re.findall(r"'([^']*)'", fault["ctx"]["expected"])
        wrong = f"{key}={fault['input']!r} is not allowed"
        if fault["loc"][-1] == "[key]":
            wrong = f"unknown key {key}"
        return wrong + nearest(fault["input"], allowed)
    if fault["type"] in {"model_type", "model_attributes_type", "dict_type"}:
        return f"{key}={fault['input']!r}: must be a table; set the keys inside it"
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] in {"value_error", "missing"}:
        return f"{key}: {message}" if key else message
    return f"{key}={fault['input']!r}: {message[:1].lower()}{message[1:]}"


def _names(schema: type[BaseModel], place: list[str]) -> list[str]:
    """Field names of the model that lies at a place in the schema."""
    model = schema
    for part in place:
        field = model.model_fields.get(part)
        # A table whose keys are free (targets) is followed by one of its keys.
        inner = _model_in(field.annotation) if field else None
        model = inner or model
    own = [] if place else [EXTENDS]  # no field: it is gone when a recipe is checked
    return [*model.model_fields, *own]


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The pydantic model inside ``X``, ``dict[str, X]`` or ``tuple[X, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        found = _model_in(part)
        if found:
            return found
    return None
