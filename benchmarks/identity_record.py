"""What ``python -m benchmarks identity`` says: numbers for each scorer, and words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from benchmarks.draws import ALIKE_METRIC, DrawsVerification, Trial, verify_draws
from benchmarks.enroller import OURS
from benchmarks.identity_draws import Outcome
from facekit.evaluation.intervals import Interval, clopper_pearson

_DIGITS: Final = 5
_HEADER: Final = (
    f"{'':<20}{'AUC':>22}{'EER %':>15}{'FNMR % at FMR 1 %':>20}{'at FMR 0.1 %':>18}"
    f"{'faces/s':>9}{'MB':>7}"
)
_COLUMNS: Final = ("auc", "eer", "fnmr_at_fmr_1pct", "fnmr_at_fmr_0_1pct")


def measured(outcome: Outcome, seed: int) -> dict[str, dict[str, Any]]:
    """Metrics of every scorer.

    Args:
        outcome: Of the draws.
        seed: Of the resamples behind the intervals.

    Returns:
        By scorer, ours first, ``{"metrics", "intervals", "per_person"}``, and
        ``found_only``: the metrics without the photos in which the scorer found
        no face, None where it found one in all.
    """
    out = {}
    for name, draws in outcome.trials.items():
        found = verify_draws(draws, seed=seed)
        only = _found_only(draws)
        out[name] = {
            "metrics": _rounded(found.metrics),
            "intervals": {key: _ends(pair) for key, pair in found.intervals.items()},
            "per_person": _people(outcome, found),
            "found_only": only and _rounded(verify_draws(only, rounds=1).metrics),
        }
    _add_claims(out[OURS], outcome)
    return out


def _people(outcome: Outcome, found: DrawsVerification) -> dict[str, dict[str, Any]]:
    rows = zip(outcome.people, found.per_person, outcome.trials[OURS][0], strict=True)
    return {
        name: {**_rounded(values), "photos": trial.photos, "tested": len(trial.tested)}
        for name, values, trial in rows
    }


def _add_claims(ours: dict[str, Any], outcome: Outcome) -> None:
    """What the tool claimed: means over people and draws, interval included."""
    claims = [[fitted.claim for fitted in draw] for draw in outcome.fitted]
    rates = np.array([[one.fmr for one in draw] for draw in claims], np.float64)
    ends = np.array([[one.interval for one in draw] for draw in claims], np.float64)
    ours["metrics"]["claimed_fmr"] = round(float(rates.mean()), _DIGITS)
    ours["intervals"]["claimed_fmr"] = _ends(tuple(ends.mean((0, 1)).tolist()))
    ours["claims"] = {
        "supported": int(sum(one.supported for draw in claims for one in draw)),
        "made": rates.size,
        "agree": _agreeing(outcome),
        "strangers": int(np.median([one.strangers for draw in claims for one in draw])),
        "words": list(claims[0][0].words),
    }
    for p, person in enumerate(ours["per_person"].values()):
        low, high = ends[:, p].mean(0)
        person["claimed_fmr"] = round(float(rates[:, p].mean()), _DIGITS)
        person["claimed_interval"] = _ends((low, high))
        person["inside"] = bool(low <= person["measured_fmr"] <= high)


def _agreeing(outcome: Outcome) -> int:
    """Enrolments whose claim and the exact interval of what was measured overlap."""
    agree = 0
    for trials, fits in zip(outcome.trials[OURS], outcome.fitted, strict=True):
        for trial, fitted in zip(trials, fits, strict=True):
            hits = int((trial.impostor >= fitted.threshold).sum())
            low, high = clopper_pearson(hits, trial.impostor.size)
            agree += low <= fitted.claim.interval[1] and high >= fitted.claim.interval[0]
    return agree


def _found_only(draws: list[list[Trial]]) -> list[list[Trial]] | None:
    """The same trials without photos that show no face; None where that changes nothing."""
    every = [trial for draw in draws for trial in draw]
    there = np.isfinite(np.stack([trial.impostor for trial in every])).any(0)
    tests = [np.isfinite(trial.genuine) for trial in every]
    if not there.any() or not all(one.any() for one in tests):
        return None
    if there.all() and all(one.all() for one in tests):
        return None
    return [[_without(trial, there) for trial in draw] for draw in draws]


def _without(trial: Trial, there: Any) -> Trial:
    kept = np.isfinite(trial.genuine)
    return replace(
        trial,
        tested=trial.tested[kept],
        genuine=trial.genuine[kept],
        impostor=trial.impostor[there],
        alike=None if trial.alike is None else trial.alike[there],
    )


def spoken(record: dict[str, Any]) -> list[str]:
    """What the numbers mean, one sentence a line.

    Args:
        record: Of the benchmark, without ``words`` and ``seconds``.
    """
    ours = record["scorers"][OURS]
    metrics, ranges, claims = (ours[key] for key in ("metrics", "intervals", "claims"))
    low, high = ranges["claimed_fmr"]
    inside = {
        name: "inside" if low <= metrics[name] <= high else "OUTSIDE"
        for name in ("measured_fmr", ALIKE_METRIC)
        if name in metrics
    }
    claimed, found, refused = (
        _share(metrics, ranges, name)
        for name in ("claimed_fmr", "measured_fmr", "fnmr_at_own_threshold")
    )
    lines = [
        (
            f"at its own threshold: FMR claimed {claimed}, measured {found}, "
            f"{inside['measured_fmr']} the interval it claimed; FNMR {refused}"
        ),
        (
            f"taken one by one, {claims['agree']} of {claims['made']} enrolments agree with their "
            f"claim, as far as {record['strangers']} strangers can tell"
        ),
    ]
    if ALIKE_METRIC in metrics:
        alike = _share(metrics, ranges, ALIKE_METRIC)
        lines.append(f"strangers like the person alone: FMR {alike}, {inside[ALIKE_METRIC]} it")
    if claims["supported"] < claims["made"]:
        lines.append(
            f"{claims['made'] - claims['supported']} of {claims['made']} enrolments said that "
            "their strangers are too few to claim it"
        )
    lines += [_peer(record["scorers"][name], name) for name in record["peers"]]
    lines += _failures(record)
    return lines


def _peer(one: dict[str, Any], name: str) -> str:
    metrics, ranges = one["metrics"], one["intervals"]
    return (
        f"{name} at its own tolerance: FMR {_share(metrics, ranges, 'measured_fmr')}, "
        f"FNMR {_share(metrics, ranges, 'fnmr_at_own_threshold')}; it claims no rate"
    )


def _failures(record: dict[str, Any]) -> list[str]:
    lines = []
    for name, one in record["scorers"].items():
        if "no_face" in one and any(one["no_face"].values()):
            persons, strangers = one["no_face"]["persons"], one["no_face"]["strangers"]
            lines.append(
                f"{name}: no face found in {persons} photos of the people and {strangers} of "
                "the strangers; counted as refused"
                + (_instead(one["found_only"]) if one["found_only"] else "")
            )
    if record["refused_photos"]:
        codes = ", ".join(f"{n} {code}" for code, n in record["refused_photos"].items())
        lines.append(f"photos refused at enrolment, all draws together: {codes}")
    if record["unreadable"]:
        lines.append(f"{record['unreadable']} files could not be decoded and are left out")
    lines += [f"left out: {name} {reason}" for name, reason in record["left_out"].items()]
    return lines


def _instead(metrics: dict[str, float]) -> str:
    rate = 100 * metrics["fnmr_at_fmr_1pct"]
    return f" (without them AUC {metrics['auc']:.4f}, FNMR at FMR 1 % {rate:.1f} %)"


def render(record: dict[str, Any]) -> str:
    """The record as lines for people.

    Args:
        record: Of ``measure_identity``.
    """
    lines = [
        "{dataset}, {model}, detector {detector}: {people} people, {enrolled} photos enrolled, "
        "{draws} draws, {strangers} strangers; {cores} core(s)".format(**record),
        _HEADER,
    ]
    for name, one in record["scorers"].items():
        low, high = one["intervals"]["auc"]
        cells = f"{one['metrics']['auc']:.4f} ({low:.4f}-{high:.4f})".rjust(22)
        for key, width in zip(_COLUMNS[1:], (15, 20, 18), strict=True):
            cells += _share(one["metrics"], one["intervals"], key, unit="").rjust(width)
        if "faces_per_second" in one:
            cells += f"{one['faces_per_second']:>9.0f}{one['megabytes']:>7.1f}"
        lines.append(f"{name:<20}{cells}")
    return "\n".join([*lines, *record["words"]])


def _share(
    metrics: dict[str, float], ranges: dict[str, list[float]], name: str, *, unit: str = " %"
) -> str:
    low, high = (100 * end for end in ranges[name])
    return f"{100 * metrics[name]:.1f}{unit} ({low:.1f}-{high:.1f})"


def _rounded(values: dict[str, float]) -> dict[str, float | None]:
    return {k: round(v, _DIGITS) if np.isfinite(v) else None for k, v in values.items()}


def _ends(pair: Interval) -> list[float]:
    return [round(float(end), _DIGITS) for end in pair]
