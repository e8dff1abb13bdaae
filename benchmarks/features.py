"""``python -m benchmarks features``: extraction against Keras ``predict`` on the same weights.

Both embed the same crops on the same cores in one run, round by round in turn,
and every round gives a ratio of its own; so a machine that is slow for a while is
slow for both. Random pixels do: no layer is faster for one picture than another.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.registry import BenchOptions
from facekit.bundle.bundle import Bundle
from facekit.bundle.load import load_bundle
from facekit.cache.features import FeatureStore
from facekit.errors import UsageError
from facekit.system.pool import cores

#: Crops a round when the user names no limit.
_LIMIT: Final = 1024
#: Even, so that each side goes first as often as the other.
_ROUNDS: Final = 6
#: Keras may choose the batch that suits it best here.
_BATCHES: Final = (32, 128, 512)

Work = Callable[[], object]


class Lap(NamedTuple):
    """One time that one side took: by the clock, and of this process on all cores."""

    seconds: float
    processor: float


def run(options: BenchOptions) -> dict[str, Any]:
    """Measure the model on random crops.

    Args:
        options: Model, crops a round, seed.

    Returns:
        As ``measure_features``.

    Raises:
        BundleError: There is no such model.
        MissingExtraError: Keras is not installed.
    """
    bundle = load_bundle(options.model)
    side, count = bundle.frame.side, options.limit or _LIMIT
    rng = np.random.default_rng(options.seed)
    return measure_features(bundle, rng.integers(0, 256, (count, side, side, 3), np.uint8))


def measure_features(
    bundle: Bundle, crops: NDArray[np.uint8], *, rounds: int = _ROUNDS
) -> dict[str, Any]:
    """Time Keras, ONNX Runtime, and the whole way into a new feature store.

    Args:
        bundle: Made by ``facekit pretrain``.
        crops: uint8 RGB array of shape (n, side, side, 3), no two alike.
        rounds: How often each is timed, in [1, inf).

    Returns:
        Images a second and processor milliseconds an image of each (medians; the
        second hardly suffers from other work on the machine), ``ratio`` and ``ratio_range`` of the
        store against Keras, ``onnx_ratio`` of ONNX Runtime alone, the largest
        difference of any feature in units of its part's largest, and what was
        measured on.

    Raises:
        BundleError: The bundle's weights do not fit its family.
        MissingExtraError: Keras is not installed.
        UsageError: Both sides do not give the same features.
    """
    from facekit.training.backend import keras_version, start_keras

    backend = start_keras()
    from facekit.training.keras import restore_backbone

    model = restore_backbone(bundle)

    def predict(batch: int) -> dict[str, NDArray[np.float32]]:
        return model.predict(crops, batch_size=batch, verbose=0)  # type: ignore[no-any-return]

    difference = _difference(bundle.embed(crops), predict(_BATCHES[0]))
    batch = min(_BATCHES, key=lambda size: _warm_seconds(lambda: predict(size)))
    with tempfile.TemporaryDirectory(prefix="facekit-bench-") as scratch:
        stores = (FeatureStore(Path(scratch) / str(i)) for i in range(rounds))
        sides: dict[str, Work] = {
            "keras": lambda: predict(batch),
            "onnx": lambda: bundle.embed(crops),
            "store": lambda: next(stores).features(crops, None, bundle),
        }
        laps = paired(sides, rounds)
    rates = {name: len(crops) / _median(each, "seconds") for name, each in laps.items()}
    costs = {name: _median(each, "processor") / len(crops) for name, each in laps.items()}
    ratios, alone = (
        [k.seconds / s.seconds for k, s in zip(laps["keras"], laps[name], strict=True)]
        for name in ("store", "onnx")
    )
    return {
        "model": bundle.name,
        "keras": f"{keras_version()} on {backend}",
        "cores": cores(),
        "crops": len(crops),
        "rounds": rounds,
        "keras_batch": batch,
        **{f"{name}_per_second": round(rate, 1) for name, rate in rates.items()},
        **{f"{name}_processor_ms": round(1000 * cost, 2) for name, cost in costs.items()},
        "ratio": round(statistics.median(ratios), 2),
        "ratio_range": [round(min(ratios), 2), round(max(ratios), 2)],
        "onnx_ratio": round(statistics.median(alone), 2),
        "largest_difference": difference,
    }


def paired(sides: dict[str, Work], rounds: int) -> dict[str, list[Lap]]:
    """Time each side in each round, every other round in reverse order.

    Args:
        sides: What is timed, warmed up already.
        rounds: In [1, inf).

    Returns:
        One lap for each round by side.
    """
    laps: dict[str, list[Lap]] = {name: [] for name in sides}
    for i in range(rounds):
        for name in list(sides)[:: 1 if i % 2 == 0 else -1]:
            begun, worked = time.perf_counter(), time.process_time()
            sides[name]()
            lap = Lap(time.perf_counter() - begun, time.process_time() - worked)
            laps[name].append(lap)
    return laps


def render(record: dict[str, Any]) -> str:
    """Lines for people.

    Args:
        record: From ``run``.
    """
    low, high = record["ratio_range"]
    what = f"{record['model']}, {record['crops']} crops, {record['rounds']} rounds"
    rows = (
        (f"Keras {record['keras']}", "keras", f"predict in batches of {record['keras_batch']}"),
        ("ONNX Runtime", "onnx", f"{record['onnx_ratio']:.2f} times as fast"),
        ("into a new store", "store", f"{record['ratio']:.2f} times, {low:.2f} to {high:.2f}"),
    )
    lines = [
        f"{title:26}{record[f'{name}_per_second']:8,.0f} images/s, "
        f"{record[f'{name}_processor_ms']:6.2f} processor ms each  ({note})"
        for title, name, note in rows
    ]
    last = f"features differ by {record['largest_difference']:.1e} of the largest at most"
    return "\n".join([f"{what}, {record['cores']} cores", *lines, last])


def _difference(
    one: dict[str, NDArray[np.float32]], other: dict[str, NDArray[np.float32]]
) -> float:
    """Largest difference in units of the part's largest number; small, or it is refused."""
    worst = 0.0
    for part, value in one.items():
        off = np.abs(value - np.asarray(other[part], np.float32)).max()
        worst = max(worst, float(off / max(np.abs(value).max(), 1e-12)))
    if worst > 0.01:
        raise UsageError(
            f"Keras and ONNX Runtime differ by {worst:.3f} of the largest feature: "
            "they do not run the same weights, so their speed says nothing"
        )
    return float(f"{worst:.2g}")


def _median(laps: list[Lap], kind: str) -> float:
    return float(statistics.median(getattr(lap, kind) for lap in laps))


def _warm_seconds(work: Work) -> float:
    """Seconds of the second time; the first one compiles."""
    work()
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
