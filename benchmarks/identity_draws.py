"""Draw ten photos of each person, enrol them, and score everybody else's faces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.draws import Trial
from benchmarks.enroller import OURS, Enrolled, Enroller
from benchmarks.face_reader import Faces
from benchmarks.lineup import Lineup
from benchmarks.peer_dlib import TOLERANCE
from facekit.enrollment.fit import Fitted
from facekit.errors import DataError, FacekitError
from facekit.evaluation.claim import all_cohorts

ENROLLED: Final = 10  # photos
DRAWS: Final = 6  # choices of those photos: with 3 the mean FNMR still moves by half

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the draws gave.

    Attributes:
        people: Names of those who were enrolled in every draw.
        trials: By scorer, then by draw, one of each person; ours comes first.
        fitted: By draw, of each person.
        refused: Photos that enrolment refused in all draws, by code.
        failed: Why a person could not be enrolled, by name.
    """

    people: tuple[str, ...]
    trials: dict[str, list[list[Trial]]]
    fitted: list[list[Fitted]]
    refused: Counter[str]
    failed: dict[str, str]


@dataclass(frozen=True, eq=False)
class _Split:
    """One person's photos in one draw: positions among all photos."""

    enrolled: NDArray[np.int64]
    tested: NDArray[np.int64]
    rows: NDArray[np.int64]
    strangers: NDArray[np.int64]

    def trial(
        self, scores: Floats, threshold: float | None = None, alike: NDArray[np.bool_] | None = None
    ) -> Trial:
        """The trial of scores (n,) of all photos; NaN where no face was found."""
        known = np.where(np.isnan(scores), -np.inf, scores).astype(np.float64)
        genuine, impostor = known[self.rows[self.tested]], known[self.strangers]
        return Trial(self.tested, len(self.rows), genuine, impostor, threshold, alike)


def run_draws(
    lineup: Lineup,
    faces: Faces,
    enroller: Enroller,
    peers: dict[str, Floats],
    *,
    seed: int,
    tick: Callable[[int, int], None] = lambda done, every: None,
) -> Outcome:
    """Enrol every person ``DRAWS`` times.

    Args:
        lineup: Who is where.
        faces: What our reader found in each photo.
        enroller: Ours, with its rivals.
        peers: By name, the vectors (n, d) of another package, NaN without a face.
        seed: Of the draws.
        tick: Called with (done, all) after every enrolment.

    Returns:
        Trials of every scorer on the same photos.

    Raises:
        DataError: Nobody could be enrolled.
    """
    every: dict[str, list[tuple[dict[str, Trial], Fitted]]] = {}
    refused: Counter[str] = Counter()
    failed: dict[str, str] = {}
    total = DRAWS * len(lineup.people)
    for number, (name, split) in enumerate(_splits(lineup, seed)):
        tick(number, total)
        try:
            enrolled = enroller.enroll([lineup.paths[i] for i in split.rows[split.enrolled]])
        except FacekitError as error:
            failed[name] = str(error)
            continue
        refused += enrolled.refused
        trials = _ours(split, enrolled, enroller, faces) | _theirs(split, peers)
        every.setdefault(name, []).append((trials, enrolled.fitted))
    people = tuple(name for name in every if name not in failed)
    if not people:
        reason = next(iter(failed.values()))
        raise DataError(f"none of {len(failed)} people could be enrolled: {reason}")
    by_scorer = {
        scorer: [[every[name][d][0][scorer] for name in people] for d in range(DRAWS)]
        for scorer in every[people[0]][0][0]
    }
    fitted = [[every[name][d][1] for name in people] for d in range(DRAWS)]
    return Outcome(people, by_scorer, fitted, refused, failed)


def _splits(lineup: Lineup, seed: int) -> Iterator[tuple[str, _Split]]:
    for draw in range(DRAWS):
        for place, (name, rows) in enumerate(lineup.people.items()):
            order = np.random.default_rng([seed, draw, place]).permutation(len(rows))
            mine, rest = np.sort(order[:ENROLLED]), np.sort(order[ENROLLED:])
            yield name, _Split(mine, rest, rows, lineup.strangers)


def _ours(split: _Split, enrolled: Enrolled, enroller: Enroller, faces: Faces) -> dict[str, Trial]:
    fitted = enrolled.fitted
    found = ~np.isnan(faces.attributes[split.strangers]).any(1)
    chances = np.nan_to_num(faces.attributes[split.strangers])
    like = next(
        one.rows
        for one in all_cohorts(enrolled.own.attributes, chances)
        if one.kind == enroller.recipe.claim.cohort
    )
    out = {}
    for name, score in enroller.scorers(enrolled).items():
        own = (fitted.threshold, like & found) if name == OURS else ()
        out[name] = split.trial(score(faces), *own)
    return out


def _theirs(split: _Split, peers: dict[str, Floats]) -> dict[str, Trial]:
    """The mean of the vectors, a distance, and the tolerance of the package."""
    out = {}
    for name, vectors in peers.items():
        mine = vectors[split.rows[split.enrolled]]
        mine = mine[~np.isnan(mine).any(1)]
        middle = mine.mean(0) if len(mine) else np.full(vectors.shape[1], np.nan)
        scores = -np.linalg.norm(vectors - middle, axis=1)
        out[name] = split.trial(scores, -TOLERANCE)
    return out
