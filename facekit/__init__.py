"""facekit: teach a computer about faces from your own data.

The public names load their modules when they are first used, so that
``import facekit`` costs milliseconds and never loads TensorFlow.

    model = facekit.load()
    for face in model.analyze("photo.jpg").faces: ...
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from facekit.enrollment.enrollment import Enrollment
    from facekit.errors import (
        BundleError,
        DataError,
        FacekitError,
        ImageError,
        InterruptedRunError,
        MissingExtraError,
        RecipeError,
        UsageError,
    )
    from facekit.frame import FaceFrame
    from facekit.labels import ATTRIBUTES, EMOTIONS
    from facekit.predict import Analysis, Face, FaceModel, load
    from facekit.recipe.load import list_recipes, load_recipe
    from facekit.workflows.enroll import enroll
    from facekit.workflows.evaluate import ClassEvaluation, Evaluation, evaluate
    from facekit.workflows.learned import TransferResult
    from facekit.workflows.pretrain import PretrainResult, pretrain
    from facekit.workflows.sweep import SweepResult, sweep
    from facekit.workflows.transfer import transfer

__all__ = [
    "ATTRIBUTES",
    "EMOTIONS",
    "Analysis",
    "BundleError",
    "ClassEvaluation",
    "DataError",
    "Enrollment",
    "Evaluation",
    "Face",
    "FaceFrame",
    "FaceModel",
    "FacekitError",
    "ImageError",
    "InterruptedRunError",
    "MissingExtraError",
    "PretrainResult",
    "RecipeError",
    "SweepResult",
    "TransferResult",
    "UsageError",
    "__version__",
    "enroll",
    "evaluate",
    "list_recipes",
    "load",
    "load_recipe",
    "pretrain",
    "sweep",
    "transfer",
]

__version__ = "0.1.0"

#: Public name -> module that holds it.
_HOMES: Final[dict[str, str]] = {
    "ATTRIBUTES": "facekit.labels",
    "EMOTIONS": "facekit.labels",
    "Analysis": "facekit.predict",
    "BundleError": "facekit.errors",
    "ClassEvaluation": "facekit.workflows.evaluate",
    "DataError": "facekit.errors",
    "Enrollment": "facekit.enrollment.enrollment",
    "Evaluation": "facekit.workflows.evaluate",
    "Face": "facekit.predict",
    "FaceFrame": "facekit.frame",
    "FaceModel": "facekit.predict",
    "FacekitError": "facekit.errors",
    "ImageError": "facekit.errors",
    "InterruptedRunError": "facekit.errors",
    "MissingExtraError": "facekit.errors",
    "PretrainResult": "facekit.workflows.pretrain",
    "RecipeError": "facekit.errors",
    "UsageError": "facekit.errors",
    "enroll": "facekit.workflows.enroll",
    "evaluate": "facekit.workflows.evaluate",
    "list_recipes": "facekit.recipe.load",
    "load": "facekit.predict",
    "load_recipe": "facekit.recipe.load",
    "pretrain": "facekit.workflows.pretrain",
    "SweepResult": "facekit.workflows.sweep",
    "sweep": "facekit.workflows.sweep",
    "TransferResult": "facekit.workflows.learned",
    "transfer": "facekit.workflows.transfer",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'facekit' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # the next use costs nothing
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
