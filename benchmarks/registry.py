"""The benchmarks by name; a module is imported when its benchmark runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final


@dataclass(frozen=True)
class BenchOptions:
    """What every benchmark may be told; each uses what it needs.

    Attributes:
        data: Folder with the data sets, or None for drawn faces.
        model: Bundle name or folder, or None for the default.
        limit: Images at most, or None for the benchmark's own number.
        seed: Seed of everything drawn.
        peer: File of another project's network to measure beside ours, or the name
            of a package such as "dlib", or None.
    """

    data: Path | None = None
    model: str | None = None
    limit: int | None = None
    seed: int = 0
    peer: Path | None = None


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    Attributes:
        module: Where it lives.
        function: ``function(options: BenchOptions) -> dict`` of plain values.
        help: One line for ``python -m benchmarks``.
    """

    module: str
    function: str
    help: str

    def run(self, options: BenchOptions) -> dict[str, Any]:
        """Import and run it; the dict holds JSON values only."""
        return self._load(self.function)(options)  # type: ignore[no-any-return]

    def render(self, record: dict[str, Any]) -> str | None:
        """Lines for people from the module's ``render``; None where it has none."""
        text = getattr(import_module(self.module), "render", None)
        return None if text is None else str(text(record))

    def _load(self, name: str) -> Callable[..., Any]:
        return getattr(import_module(self.module), name)  # type: ignore[no-any-return]


#: Every benchmark there is.
BENCHMARKS: Final[dict[str, Benchmark]] = {
    "io": Benchmark(
        "benchmarks.io", "run", "Decode, crop and cache read, against the rate of training."
    ),
    "predict": Benchmark(
        "benchmarks.predict", "run", "Cold start of one photo, then faces a second."
    ),
    "frame": Benchmark(
        "benchmarks.frame", "run", "Eyes of every source in the face frame, and mean faces."
    ),
    "detectors": Benchmark(
        "benchmarks.detectors", "run", "Faces found, false boxes, time and eye error."
    ),
    "features": Benchmark(
        "benchmarks.features",
        "run",
        "Feature extraction against Keras predict on the same weights, in turn.",
    ),
    "head": Benchmark(
        "benchmarks.head",
        "run",
        "Heads on cached features against the frozen backbone inside Keras fit.",
    ),
    "transfer": Benchmark(
        "benchmarks.transfer",
        "measure_transfer",
        "How a backbone transfers: identity teacher, LFW people, FER-2013 probe.",
    ),
    "emotions": Benchmark(
        "benchmarks.emotions",
        "compare_emotions",
        "Emotion models, and a peer, on the same FER-2013 test images.",
    ),
    "identity": Benchmark(
        "benchmarks.identity",
        "measure_identity",
        "Enrolments of people against strangers: error rates and what was claimed.",
    ),
    "enroll": Benchmark(
        "benchmarks.enroll",
        "run",
        "Seconds of enrolling 21 photos and of adding one; against the old way.",
    ),
    "faults": Benchmark(
        "benchmarks.faults",
        "run",
        "Broken files and interrupted commands: how many tries, how many failures.",
    ),
}
