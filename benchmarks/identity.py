"""``python -m benchmarks identity``: is an enrolment right about people it never saw?

Ten photos of each person are enrolled the tool's own way and judge the person's
other photos and every stranger; several draws of the ten are averaged. A photo in
which no face is found is accepted by nobody: a failure for the person, a
refusal for a stranger.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from benchmarks.enroller import OURS, Enroller
from benchmarks.face_reader import FaceReader
from benchmarks.identity_draws import DRAWS, ENROLLED, Outcome, run_draws
from benchmarks.identity_record import measured, spoken
from benchmarks.lineup import Lineup, read_lineup
from benchmarks.peer_dlib import DlibReader
from benchmarks.registry import BenchOptions
from facekit.bundle.load import load_bundle
from facekit.errors import UsageError
from facekit.photos.detect import find_detector
from facekit.predict import FaceModel
from facekit.recipe.enroll import EnrollRecipe
from facekit.recipe.load import load_recipe
from facekit.system.pool import cores
from facekit.system.terminal import progress_bar

_RECIPE: Final = "me"
_PEER: Final = "dlib"


def measure_identity(options: BenchOptions) -> dict[str, Any]:
    """Enrol every person of the folder and test the enrolments.

    Args:
        options: ``data`` holds ``persons/<name>/*.jpg`` and ``strangers/*.jpg``,
            or is the folder above it with ``lfw``; ``peer`` may be "dlib";
            ``limit`` takes so many of the strangers.

    Returns:
        ``{"metrics", "intervals", "per_person"}`` of `facekit enroll`, ``scorers``
        with those of its rivals and peers, and what was measured on.

    Raises:
        UsageError: No data, or another peer.
        DataError: There are no strangers, or nobody can be enrolled.
        BundleError: The model has no identity part or no strangers.
        MissingExtraError: The peer is not installed.
    """
    begun = time.perf_counter()
    folder, peer = _folder(options.data), _peer(options.peer)
    recipe = load_recipe(_RECIPE, (), EnrollRecipe)
    model = FaceModel(load_bundle(options.model), find_detector("auto"))
    # As the tool does: enrolled with the float graph, looked for with the one that predicts.
    quick = FaceModel(load_bundle(options.model, precision="auto"), model.detector)
    enroller, ours = Enroller(model, recipe), FaceReader(quick)
    readers = {OURS: ours} | ({} if peer is None else {peer.name: peer})
    with progress_bar("reading faces", 1) as tick:
        lineup = read_lineup(
            folder,
            list(readers.values()),
            needed=ENROLLED + 1,
            limit=options.limit,
            seed=options.seed,
            tick=tick,
        )
    peers = {} if peer is None else {peer.name: peer.vectors}
    with progress_bar("enrolling", 1) as tick:
        outcome = run_draws(lineup, ours.faces, enroller, peers, seed=options.seed, tick=tick)
    scorers = measured(outcome, options.seed)
    for name, reader in readers.items():
        scorers[name] |= _cost(reader, lineup)
    record = {
        "dataset": folder.name,
        "model": model.bundle.name,
        "precision": quick.bundle.precision,
        "detector": model.detector.name,
        "recipe": recipe.name,
        **_counts(lineup, outcome),
        "seed": options.seed,
        **{key: scorers[OURS][key] for key in ("metrics", "intervals", "per_person")},
        "scorers": scorers,
        "peers": list(peers),
    }
    record["words"] = spoken(record)
    return {**record, "seconds": round(time.perf_counter() - begun, 1)}


def _counts(lineup: Lineup, outcome: Outcome) -> dict[str, Any]:
    return {
        "n": len(lineup.paths),
        "people": len(outcome.people),
        "strangers": len(lineup.strangers),
        "enrolled": ENROLLED,
        "draws": DRAWS,
        "cores": cores(),
        "refused_photos": dict(sorted(outcome.refused.items())),
        "unreadable": lineup.unreadable,
        "left_out": lineup.left_out | outcome.failed,
    }


def _folder(data: Path | None) -> Path:
    if data is None:
        raise UsageError(
            "identity needs --data: a folder with persons/<name>/*.jpg and strangers/*.jpg"
        )
    inner = data / "lfw"
    return inner if inner.is_dir() else data


def _peer(named: Path | None) -> DlibReader | None:
    if named is None:
        return None
    if str(named) != _PEER:
        raise UsageError(f"identity knows no peer {str(named)!r}: give --peer {_PEER}")
    return DlibReader()


def _cost(reader: FaceReader | DlibReader, lineup: Lineup) -> dict[str, Any]:
    """Speed, size, and where no face was found."""
    blank = reader.blank
    persons = sum(int(blank[rows].sum()) for rows in lineup.people.values())
    return {
        "faces_per_second": round(float((~blank).sum()) / max(reader.seconds, 1e-9), 1),
        **reader.megabytes(),
        "no_face": {"persons": persons, "strangers": int(blank[lineup.strangers].sum())},
    }
