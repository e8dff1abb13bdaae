"""The identity target of a pretraining: is it wanted, who teaches it, what was said."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from facekit.arrays import Float32
from facekit.bundle.load import find_bundle
from facekit.cache.teacher import TEACHER
from facekit.errors import RecipeError
from facekit.recipe.schema import PretrainRecipe, TargetSpec
from facekit.workflows.sources import Source
from facekit.workflows.teachers import name_bundle


def identity_spec(recipe: PretrainRecipe) -> TargetSpec | None:
    """The recipe's identity target, or None where it is switched off."""
    spec = recipe.targets.get("identity")
    return spec if spec is not None and spec.weight > 0 else None


def learns_identity(recipe: PretrainRecipe) -> bool:
    """Whether anything trains the identity part: its own target, or other models."""
    return identity_spec(recipe) is not None or bool(recipe.distill.identity)


def require_identity(recipe: PretrainRecipe, *, has_vectors: bool) -> None:
    """Refuse at once what would only show after the images have been read.

    Args:
        recipe: The resolved recipe.
        has_vectors: A teacher table is given; no teacher has to run.

    Raises:
        RecipeError: The target has no part of the backbone, or no teacher, or a table
            beside what it cannot say.
    """
    spec = identity_spec(recipe)
    if spec is None:
        return
    if recipe.backbone.identity_size == 0:
        raise RecipeError(
            "targets.identity has a weight but backbone.identity_size is 0: "
            "give the part a size (dlib's teacher has 128), or the target weight 0"
        )
    if has_vectors and spec.views > 1:
        raise RecipeError(
            f"targets.identity.views={spec.views} says nothing to --teacher-table, whose vectors "
            "are made already: leave one of them out"
        )
    if has_vectors:
        return
    if spec.teacher == "none":
        raise RecipeError(
            "targets.identity has a weight but no teacher: --set targets.identity.teacher=dlib, "
            "or give vectors with --teacher-table FILE"
        )


def teach_identity(source: Source, views: int = 1) -> Float32:
    """Run the teacher over a source, or load what it said before.

    Args:
        source: Table and crops.
        views: How many views of each image it sees.

    Returns:
        float32 array by row of the crop cache; NaN where nothing was taught.
    """
    from facekit.cache.teacher import DLIB_SIZE, teach
    from facekit.photos.image import decode
    from facekit.system.home import cache_folder

    vectors = np.full((len(source.cache.ids), DLIB_SIZE), np.nan, np.float32)
    root = cache_folder()
    vectors[source.rows] = teach(source.table, decode, root=root / "teachers", views=views)
    return vectors


def name_teachers(recipe: PretrainRecipe, table: Path | str | None) -> dict[str, str]:
    """Who taught, and for a table which file said so."""
    spec = identity_spec(recipe)
    if spec is None:
        return {}
    if table is None:
        views = f", the mean of {spec.views} views" if spec.views > 1 else ""
        return {"identity": f"{spec.teacher} ({name_bundle(find_bundle(TEACHER))}{views})"}
    digest = hashlib.sha256(Path(table).read_bytes()).hexdigest()[:16]
    name = "unnamed" if spec.teacher == "none" else spec.teacher
    return {"identity": f"{name} (vectors in {Path(table).name}, sha256 {digest})"}
