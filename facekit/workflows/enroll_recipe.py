"""The recipe of an enrolment: the named one, the options on top, or that of before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from facekit.enrollment.enrollment import Enrollment
from facekit.errors import DataError, UsageError
from facekit.recipe.enroll import EnrollRecipe
from facekit.recipe.load import load_recipe

__all__ = ["enroll_recipe"]

#: The recipe that is taken where none is named.
_DEFAULT: Final = "me"


def enroll_recipe(
    recipe: str | Path | None,
    overrides: Sequence[str],
    fmr: float | None,
    augment: int | None,
    model: str | Path | None,
    before: Enrollment | None,
) -> EnrollRecipe:
    """Resolve what an enrolment goes by.

    Args:
        recipe: Name, TOML file or None.
        overrides: ``key=value`` texts.
        fmr: The option, or None.
        augment: The option, or None.
        model: The option, or None.
        before: The enrolment that is added to; its recipe goes on.

    Returns:
        The checked recipe.

    Raises:
        RecipeError: A value does not fit.
        UsageError: A recipe is named where one goes on.
        DataError: The earlier enrolment has no recipe that can be read.
    """
    options = [] if fmr is None else [f"claim.fmr={fmr}"]
    options += [] if augment is None else [f"augment.copies={augment}"]
    if before is None:
        found = load_recipe(recipe or _DEFAULT, [*overrides, *options], EnrollRecipe)
        return found if model is None else found.model_copy(update={"model": str(model)})
    if recipe is not None or overrides or augment is not None or fmr is not None:
        raise UsageError(
            "an enrolment that photos are added to keeps its recipe: leave --recipe, --set, "
            "--fmr and --augment out, or enrol again without --add"
        )
    try:
        found = EnrollRecipe.model_validate(before.facts.get("recipe"))
    except ValidationError:
        raise DataError(f"{before.name!r} was enrolled by another version: enrol again") from None
    return found if model is None else found.model_copy(update={"model": str(model)})
