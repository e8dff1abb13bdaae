"""The identity target of a pretraining: is it wanted, who teaches it, what was said."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from facekit.arrays import Float32
from facekit.errors import RecipeError
from facekit.recipe.schema import PretrainRecipe, TargetSpec
from facekit.workflows.sources import Source


def identity_spec(recipe: PretrainRecipe) -> TargetSpec | None:
    """The recipe's identity target, or None where it is switched off."""
    spec = recipe.targets.get("identity")
    return spec if spec is not None and spec.weight > 0 else None


def require_identity(recipe: PretrainRecipe, *, has_vectors: bool) -> None:
    """Refuse at once what would only show after the images have been read.

    Args:
        recipe: The resolved recipe.
        has_vectors: A teacher table is given; no teacher has to run.

    Raises:
        RecipeError: The target has no part of the backbone, or no teacher.
        MissingExtraError: The teacher is not installed.
    """
    spec = identity_spec(recipe)
    if spec is None:
        return
    if recipe.backbone.identity_size == 0:
        raise RecipeError(
            "targets.identity has a weight but backbone.identity_size is 0: "
            "give the part a size (dlib's teacher has 128), or the target weight 0"
        )
    if has_vectors:
        return
    if spec.teacher == "none":
        raise RecipeError(
            "targets.identity has a weight but no teacher: --set targets.identity.teacher=dlib, "
            "or give vectors with --teacher-table FILE"
        )
    from facekit.cache.teacher import model_files

    model_files()


def teach_identity(source: Source, cache_root: Path | None) -> Float32:
    """Run the teacher over a source, or load what it said before.

    Args:
        source: Table and crops.
        cache_root: Folder of all caches; None for the one in the user's home.

    Returns:
        float32 array by row of the crop cache; NaN where nothing was taught.
    """
    from facekit.cache.teacher import DLIB_SIZE, teach
    from facekit.photos.image import decode
    from facekit.system.home import cache_folder

    vectors = np.full((len(source.cache.ids), DLIB_SIZE), np.nan, np.float32)
    root = cache_folder() if cache_root is None else cache_root
    vectors[source.rows] = teach(source.table, decode, root=root / "teachers")
    return vectors


def name_teachers(recipe: PretrainRecipe, table: Path | str | None) -> dict[str, str]:
    """Who taught, and for a table which file said so."""
    spec = identity_spec(recipe)
    if spec is None:
        return {}
    if table is None:
        return {"identity": spec.teacher}
    digest = hashlib.sha256(Path(table).read_bytes()).hexdigest()[:16]
    name = "unnamed" if spec.teacher == "none" else spec.teacher
    return {"identity": f"{name} (vectors in {Path(table).name}, sha256 {digest})"}
