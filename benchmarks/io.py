"""``python -m benchmarks io``: how fast images are decoded and crops read, against training.

Decoding is paid once; training reads the crop cache in random batches, so what
counts is how many times faster the cache is read than the trunk trains.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.registry import BenchOptions
from facekit.cache.crops import CropCache, build_cache
from facekit.datasets.celeba import read_celeba
from facekit.datasets.table import Table
from facekit.errors import DataError, MissingExtraError
from facekit.photos.image import decode
from facekit.recipe.load import load_recipe
from facekit.recipe.schema import PretrainRecipe
from facekit.system.pool import cores

#: Images when the user names no limit.
_LIMIT: Final = 2000
#: Seconds that a rate is measured over; long enough to average out the system.
_SECONDS: Final = 2.0
_RECIPE: Final = "celeba-compact"


def run(options: BenchOptions) -> dict[str, Any]:
    """Measure on CelebA in ``options.data`` or its folder ``celeba``, or on drawn faces.

    Args:
        options: Folder, number of images, seed.

    Returns:
        As ``measure_io``.

    Raises:
        DataError: The folder is no CelebA folder.
    """
    recipe = load_recipe(_RECIPE, (), PretrainRecipe)
    limit = options.limit or _LIMIT
    with tempfile.TemporaryDirectory(prefix="facekit-bench-") as scratch:
        if options.data is None:
            from facekit.cartoon import draw_celeba

            folder = draw_celeba(Path(scratch) / "celeba", people=20, photos=10, seed=options.seed)
        else:
            inner = options.data / "celeba"
            folder = inner if inner.is_dir() else options.data
        table = read_celeba(folder, splits=("train",), allow_missing=True)
        table = table.select(np.arange(min(limit, len(table))))
        return measure_io(table, recipe, root=Path(scratch), seed=options.seed)


def measure_io(
    table: Table,
    recipe: PretrainRecipe,
    *,
    root: Path,
    seed: int = 0,
    training_rate: float | None = None,
) -> dict[str, Any]:
    """Rates of decoding, cropping and reading, in images a second.

    Args:
        table: Images on disk.
        recipe: Says frame, backbone and batch size.
        root: Where a crop cache is built for the measurement.
        seed: Of the order in which crops are read.
        training_rate: Images a second in (0, inf) that training takes; None
            measures it, where Keras is installed.

    Returns:
        ``decode_per_second``, ``crop_per_second`` (decode, warp, write),
        ``read_per_second``, ``training_per_second``, ``read_to_training`` (None
        where training cannot be measured), ``crop_to_training`` and what was
        measured on.

    Raises:
        DataError: The table has no image files.
    """
    if not isinstance(table.images, Sequence) or not table.images:
        raise DataError(f"{table.name} has no image files to decode")
    decoded = _rate(len(table.images), lambda: _decode_all(table.images))  # type: ignore[arg-type]
    begun = time.perf_counter()
    cache = build_cache(table, recipe.frame.build(), root=root, progress=False)
    cropped = len(table) / (time.perf_counter() - begun)
    read = _read_rate(cache, recipe.training.batch_size, seed)
    note = None
    if training_rate is None:
        try:
            training_rate = measure_training(cache.crops, recipe)
        except MissingExtraError as error:
            note = str(error)
    return {
        "images": len(table),
        "bytes_per_crop": int(cache.crops[:1].nbytes),
        "cores": cores(),
        "recipe": recipe.name,
        "decode_per_second": round(decoded, 1),
        "crop_per_second": round(cropped, 1),
        "read_per_second": round(read, 1),
        "training_per_second": training_rate and round(training_rate, 1),
        "read_to_training": training_rate and round(read / training_rate, 2),
        "crop_to_training": training_rate and round(cropped / training_rate, 2),
        "note": note,
    }


def measure_training(
    crops: NDArray[np.uint8], recipe: PretrainRecipe, seconds: float = 4 * _SECONDS
) -> float:
    """Images a second that a recipe trains at here, with random targets.

    Args:
        crops: uint8 RGB array of shape (n, side, side, 3).
        recipe: Backbone, targets, augmentation, batch size.
        seconds: How long to train after two steps of warm-up.

    Returns:
        Images a second, in (0, inf); augmentation included.

    Raises:
        MissingExtraError: Keras is not installed.
    """
    if importlib.util.find_spec("keras") is None:
        raise MissingExtraError("keras", "train", "the training rate is left out")
    from facekit.training.engine import start_training

    start_training(recipe)
    from facekit.backbones.catalog import build_backbone
    from facekit.training.batches import Batches
    from facekit.training.trunk import Targets, build_trainer

    rng = np.random.default_rng(0)
    identity = recipe.targets.get("identity")
    vectors = None
    if identity is not None and identity.weight:
        vectors = rng.normal(size=(len(crops), recipe.backbone.identity_size)).astype(np.float32)
    targets = Targets(rng.integers(0, 2, size=(len(crops), 40), dtype=np.int8), vectors)
    trainer = build_trainer(build_backbone(recipe.backbone, crops.shape[1]), recipe, targets)
    size = recipe.training.batch_size
    rows = np.resize(np.arange(len(crops)), max(len(crops), 4 * size))
    batches = Batches(crops, rows, targets, recipe.augment, size, 0)
    steps, begun = -2, 0.0
    for epoch in range(1000):
        for inputs, wanted in batches.epoch(epoch):
            trainer.train_on_batch(inputs, wanted)
            steps += 1
            if steps == 0:
                begun = time.perf_counter()
            elif steps > 0 and time.perf_counter() - begun > seconds:
                return steps * batches.size / (time.perf_counter() - begun)
    raise AssertionError("unreachable: a thousand epochs outlast any clock")


def render(record: dict[str, Any]) -> str:
    """Lines for people.

    Args:
        record: From ``run``.
    """
    lines = [
        f"{record['images']} images, {record['cores']} cores",
        f"decode          {record['decode_per_second']:>10,.0f} images/s",
        f"decode and crop {record['crop_per_second']:>10,.0f} images/s  (once)",
        f"read the cache  {record['read_per_second']:>10,.0f} images/s  (random batches)",
    ]
    if record["training_per_second"] is None:
        return "\n".join([*lines, str(record["note"])])
    lines += [
        f"training        {record['training_per_second']:>10,.0f} images/s  ({record['recipe']})",
        f"the cache is read {record['read_to_training']:.1f} times as fast as training takes it",
    ]
    return "\n".join(lines)


def _decode_all(paths: Sequence[Path]) -> None:
    with ThreadPoolExecutor(cores()) as pool:
        for _ in pool.map(lambda path: decode(path).shape, paths):
            pass


def _read_rate(cache: CropCache, size: int, seed: int) -> float:
    """Crops a second in batches, each read in order of place as training does."""
    order = np.random.default_rng(seed).permutation(len(cache.crops))
    batches = [np.sort(order[i : i + size]) for i in range(0, len(order), size)]

    def read() -> None:
        for rows in batches:
            cache.crops[rows].max()  # touch every byte

    return _rate(len(order), read)


def _rate(items: int, work: Callable[[], None]) -> float:
    """Items a second over whole rounds of at least ``_SECONDS`` together."""
    rounds, begun = 0, time.perf_counter()
    while (passed := time.perf_counter() - begun) < _SECONDS:
        work()
        rounds += 1
    return rounds * items / passed
