"""facekit: teach a computer about faces from your own data.

The public names load their modules when they are first used, so that
``import facekit`` costs milliseconds and never loads TensorFlow.

    model = facekit.load()
    for face in model.analyze("photo.jpg").faces: ...
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from facekit._version import __version__ as __version__

if TYPE_CHECKING:  # the same table for type checkers; a test holds them equal
    from facekit.enrollment.person import Enrollment as Enrollment
    from facekit.errors import BundleError as BundleError
    from facekit.errors import DataError as DataError
    from facekit.errors import FacekitError as FacekitError
    from facekit.errors import ImageError as ImageError
    from facekit.errors import InterruptedRunError as InterruptedRunError
    from facekit.errors import MissingExtraError as MissingExtraError
    from facekit.errors import RecipeError as RecipeError
    from facekit.errors import UsageError as UsageError
    from facekit.evaluation.measures import ClassEvaluation as ClassEvaluation
    from facekit.evaluation.measures import Evaluation as Evaluation
    from facekit.frame import FaceFrame as FaceFrame
    from facekit.labels import ATTRIBUTES as ATTRIBUTES
    from facekit.labels import EMOTIONS as EMOTIONS
    from facekit.predict import FaceModel as FaceModel
    from facekit.predict import load as load
    from facekit.recipe.load import list_recipes as list_recipes
    from facekit.recipe.load import load_recipe as load_recipe
    from facekit.results import Analysis as Analysis
    from facekit.results import Face as Face
    from facekit.workflows.enroll import enroll as enroll
    from facekit.workflows.evaluate.run import evaluate as evaluate
    from facekit.workflows.pretrain.run import PretrainResult as PretrainResult
    from facekit.workflows.pretrain.run import pretrain as pretrain
    from facekit.workflows.sweep.run import SweepResult as SweepResult
    from facekit.workflows.sweep.run import sweep as sweep
    from facekit.workflows.transfer.results import TransferResult as TransferResult
    from facekit.workflows.transfer.run import transfer as transfer

#: Module -> the public names that it holds.
_HOMES: Final = {
    "facekit.enrollment.person": "Enrollment",
    "facekit.errors": "BundleError DataError FacekitError ImageError InterruptedRunError "
    "MissingExtraError RecipeError UsageError",
    "facekit.frame": "FaceFrame",
    "facekit.labels": "ATTRIBUTES EMOTIONS",
    "facekit.predict": "FaceModel load",
    "facekit.recipe.load": "list_recipes load_recipe",
    "facekit.results": "Analysis Face",
    "facekit.workflows.enroll": "enroll",
    "facekit.evaluation.measures": "ClassEvaluation Evaluation",
    "facekit.workflows.evaluate.run": "evaluate",
    "facekit.workflows.pretrain.run": "PretrainResult pretrain",
    "facekit.workflows.sweep.run": "SweepResult sweep",
    "facekit.workflows.transfer.results": "TransferResult",
    "facekit.workflows.transfer.run": "transfer",
}
_NAMES: Final = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted([*_NAMES, "__version__"])  # noqa: PLE0605 (derived from the table)


def __getattr__(name: str) -> object:
    if name not in _NAMES:
        raise AttributeError(f"module 'facekit' has no attribute {name!r}")
    value = getattr(import_module(_NAMES[name]), name)
    globals()[name] = value  # the next use costs nothing
    return value


def __dir__() -> list[str]:
    return __all__
