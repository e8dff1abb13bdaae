"""Which engine trains: the host's loop, or whole epochs on the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facekit.errors import RecipeError
from facekit.recipe.schema import PretrainRecipe
from facekit.recipe.transfer import TransferRecipe
from facekit.system.home import cache_folder
from facekit.system.terminal import silent_stderr, tell
from facekit.training.backend import require_backend, start_keras

if TYPE_CHECKING:
    from facekit.training.loop import TrainingRun
    from facekit.training.outputs import Predict

Recipe = PretrainRecipe | TransferRecipe


def require_engine(recipe: Recipe) -> None:
    """Refuse at once, without importing Keras, an engine that cannot run here.

    Args:
        recipe: Its ``training.engine``.

    Raises:
        RecipeError: It is ``device``, and the backend or the mixing is the host's alone.
    """
    if recipe.training.engine != "device":
        return
    backend = require_backend()
    if backend != "jax":
        raise RecipeError(
            f"training.engine is 'device' and the backend {backend}: the device engine runs on "
            "JAX alone: set KERAS_BACKEND=jax, or --set training.engine=host"
        )
    if _randomised(recipe):
        raise RecipeError(
            "training.engine is 'device' and mix.randaugment above 0, which the host alone can: "
            "--set training.engine=host, or --set mix.randaugment=0"
        )


def _randomised(recipe: Recipe) -> bool:
    return recipe.mix.randaugment > 0


def on_device(recipe: Recipe) -> bool:
    """Whether the device engine trains; may start JAX."""
    if recipe.training.engine != "auto":
        return recipe.training.engine == "device"
    return has_accelerator() and not _randomised(recipe)


def has_accelerator() -> bool:
    """Whether Keras trains on JAX and JAX has more than processors."""
    if require_backend() != "jax":
        return False
    with silent_stderr():
        import jax

        return str(jax.default_backend()) != "cpu"


def start_training(recipe: Recipe) -> str:
    """Start Keras with the seed and the precision of a recipe.

    Args:
        recipe: Its ``training``.

    Returns:
        The name of the backend that runs.

    Raises:
        FacekitError: As for ``training.backend.start_keras``.
    """
    if has_accelerator():
        _keep_programs()
    precision = recipe.training.precision
    if precision == "auto":
        half = on_device(recipe) and has_accelerator()
        precision = "mixed_bfloat16" if half else "float32"
    return start_keras(seed=recipe.training.seed, precision=precision)


def _keep_programs() -> None:
    """Let JAX keep on disk what it compiles, unless the user has said where (or not to)."""
    import jax

    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "jax"))


def predictor(recipe: Recipe) -> Predict:
    """What validates, again and again, a run of ``run_type``."""
    from facekit.training.outputs import DeviceOutputs, predict_rows

    return DeviceOutputs() if on_device(recipe) else predict_rows


def run_type(recipe: Recipe) -> type[TrainingRun]:
    """The kind of run that a recipe wants; Keras has been started."""
    from facekit.training.loop import TrainingRun

    if on_device(recipe):
        from facekit.training.device import DeviceRun

        return DeviceRun
    if recipe.training.engine == "auto" and has_accelerator():
        tell("mix.randaugment is the host's alone: batches are made there, which is slower")
    return TrainingRun
