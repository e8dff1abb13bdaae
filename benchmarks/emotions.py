"""``python -m benchmarks emotions``: emotion models, ours and others', on the same images.

Each model gets the image as it wants it: ours the crop in the face frame (and
its mirror image where the bundle says so), a peer its own square and scaling.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.registry import BenchOptions
from facekit.bundle.bundle import Bundle
from facekit.bundle.load import find_bundle, list_bundles, load_bundle
from facekit.cache.crops import build_cache, encoded
from facekit.datasets.fer import read_fer
from facekit.datasets.table import Table
from facekit.errors import BundleError, DataError, UsageError
from facekit.evaluation.intervals import paired_difference
from facekit.evaluation.measures import class_intervals, class_metrics
from facekit.evaluation.weighted import WeightedClasses
from facekit.labels import EMOTIONS
from facekit.photos.image import decode
from facekit.system.home import cache_folder
from facekit.system.pool import cores

#: Our models, measured where they are there.
_OURS: Final = ("fer-frozen", "fer-full")
_HEAD: Final = "emotions"
#: A rate is taken over this many images, again and again for so many seconds.
_SAMPLE: Final = 512
_SECONDS: Final = 2.0
_BLOCK: Final = 1024

Floats = NDArray[np.float32]
Scorer = Callable[[NDArray[np.int64]], Floats]


@dataclass(frozen=True)
class _Model:
    """A model on the images of the benchmark.

    Attributes:
        name: In the table.
        parameters: Learnt numbers.
        size: Of its files, in bytes.
        score: Rows of the images to probabilities (n, 7).
    """

    name: str
    parameters: int
    size: int
    score: Scorer


def compare_emotions(options: BenchOptions) -> dict[str, Any]:
    """Measure every model on ``test/`` of FER-2013.

    Args:
        options: ``data`` is FER-2013 or holds ``fer2013``; ``model`` names a bundle
            beside fer-frozen and fer-full; ``peer`` is another project's HDF5
            file; ``limit`` takes a random part of the images.

    Returns:
        ``{"dataset", "split", "n", "cores", "models", "differences"}``. Each
        model has "accuracy", "macro_f1", "intervals", "parameters", "megabytes"
        and "images_per_second" (from prepared crops, batched); each difference
        is that of a model to the peer, or to the first model where none is given.

    Raises:
        UsageError: No data, or nothing to measure.
        FacekitError: The data or a model cannot be used.
    """
    if options.data is None:
        raise UsageError("emotions needs --data: the folder of FER-2013")
    inner = options.data / "fer2013"
    table = _sample(read_fer(inner if inner.is_dir() else options.data, splits=("test",)), options)
    models = [_ours(load_bundle(folder), table) for folder in _folders(options.model)]
    if options.peer is not None:
        models.insert(0, _peer(options.peer, table))
    if not models:
        raise UsageError(f"none of {', '.join(_OURS)} is installed: name one with --model")
    labels = np.asarray(table.labels, np.int64)
    everything = np.arange(len(table))
    chances = [_in_blocks(model.score, everything) for model in models]
    return {
        "dataset": table.name,
        "split": "test",
        "n": len(table),
        "cores": cores(),
        "models": [_measured(m, labels, c) for m, c in zip(models, chances, strict=True)],
        "differences": [
            {
                "model": model.name,
                "against": models[0].name,
                **asdict(paired_difference(labels, chance, chances[0])),
            }
            for model, chance in zip(models[1:], chances[1:], strict=True)
        ],
    }


def render(record: dict[str, Any]) -> str:
    """The record as lines for people."""
    lines = [
        f"{record['dataset']}/{record['split']}, {record['n']:,} images, {record['cores']} core(s)",
        f"{'model':<34}{'accuracy %':>18}{'macro F1 %':>18}{'params':>12}{'MB':>7}{'images/s':>10}",
    ]
    for one in record["models"]:
        accuracy, f1 = (_with_range(one, name) for name in ("accuracy", "macro_f1"))
        size = f"{one['parameters']:>12,}{one['megabytes']:>7.2f}{one['images_per_second']:>10,.0f}"
        lines.append(f"{one['name'][:33]:<34}{accuracy:>18}{f1:>18}{size}")
    for one in record["differences"]:
        low, high = (100 * end for end in one["accuracy_interval"])
        low_f1, high_f1 = (100 * end for end in one["macro_f1_interval"])
        lines.append(
            f"{one['model']} - {one['against']}: accuracy {100 * one['accuracy']:+.1f} points "
            f"({low:+.1f} to {high:+.1f}), macro F1 {100 * one['macro_f1']:+.1f} "
            f"({low_f1:+.1f} to {high_f1:+.1f}); right alone {one['first_only']:,} and "
            f"{one['second_only']:,} times, McNemar p = {one['p_value']:.2g}"
        )
    return "\n".join(lines)


def _with_range(one: dict[str, Any], name: str) -> str:
    low, high = one["intervals"][name]
    return f"{100 * one[name]:.1f} ({100 * low:.1f}-{100 * high:.1f})"


def _sample(table: Table, options: BenchOptions) -> Table:
    if not options.limit or options.limit >= len(table):
        return table
    rng = np.random.default_rng(options.seed)
    return table.select(np.sort(rng.choice(len(table), options.limit, replace=False)))


def _folders(named: str | None) -> list[Path]:
    """The bundle that was named, then ours that are installed; each once."""
    there = {listing.name for listing in list_bundles() if listing.manifest is not None}
    names = [*([] if named is None else [named]), *(name for name in _OURS if name in there)]
    return list(dict.fromkeys(find_bundle(name).resolve() for name in names))


def _ours(bundle: Bundle, table: Table) -> _Model:
    head = bundle.heads.get(_HEAD)
    if head is None or head.labels != EMOTIONS:
        raise BundleError(f"{bundle.name} has no head for the seven emotions: name another --model")
    cache = build_cache(table, bundle.frame, root=cache_folder() / "crops")
    if not cache.ok.all():
        raise DataError(f"{int((~cache.ok).sum())} images of {table.name} cannot be decoded")
    manifest, head_file = bundle.manifest, bundle.manifest.heads[_HEAD].file
    base = bundle.folder if manifest.base is None else find_bundle(manifest.base.name)
    files = (base / manifest.backbone.file, bundle.folder / head_file)

    def score(rows: NDArray[np.int64]) -> Floats:
        return bundle.scores(cache.crops[rows], [_HEAD])[_HEAD]

    return _Model(
        bundle.name if bundle.folder.name == bundle.name else bundle.folder.name,
        manifest.backbone.parameters + sum(array.size for array in head.weights().values()),
        sum(file.stat().st_size for file in files),
        score,
    )


def _peer(path: Path, table: Table) -> _Model:
    from benchmarks.peer_keras import load_peer

    network = load_peer(path)
    if network.classes != len(EMOTIONS):
        raise DataError(f"{path} gives {network.classes} classes, wanted are {len(EMOTIONS)}")
    sources = encoded(table, np.arange(len(table)))
    grey = [cv2.cvtColor(decode(one), cv2.COLOR_RGB2GRAY) for one in sources]

    def score(rows: NDArray[np.int64]) -> Floats:
        return network.scores([grey[i].astype(np.uint8, copy=False) for i in rows])

    return _Model(path.stem, network.parameters, path.stat().st_size, score)


def _measured(model: _Model, labels: NDArray[np.int64], chance: Floats) -> dict[str, Any]:
    prepared = WeightedClasses(labels, chance)
    means = class_metrics(prepared, EMOTIONS).means
    ranges = class_intervals(prepared).means
    kept = ("accuracy", "macro_f1")
    return {
        "name": model.name,
        **{name: means[name] for name in kept},
        "ece": means["ece"],
        "intervals": {name: list(ranges[name]) for name in kept},
        "parameters": model.parameters,
        "megabytes": round(model.size / 1e6, 3),
        "images_per_second": round(_rate(model.score, len(labels)), 1),
    }


def _in_blocks(score: Scorer, rows: NDArray[np.int64]) -> Floats:
    return np.concatenate([score(rows[i : i + _BLOCK]) for i in range(0, len(rows), _BLOCK)])


def _rate(score: Scorer, n: int) -> float:
    """Images a second; the model has run before."""
    rows = np.arange(min(n, _SAMPLE))
    score(rows)
    done, begun = 0, time.perf_counter()
    while (taken := time.perf_counter() - begun) < _SECONDS:
        score(rows)
        done += len(rows)
    return done / taken
