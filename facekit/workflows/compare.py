"""Put finished transfer runs side by side, from their ``report.json``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facekit.errors import DataError, FacekitError, UsageError
from facekit.recipe.load import load_recipe
from facekit.report.compare import ComparedRun, Elsewhere, comparison_page
from facekit.system.files import read_regular, write_output

_REPORT: Final = "report.json"

Share = Annotated[float, Field(ge=0, le=1)]
Range = tuple[Share, Share]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Metrics(_Part):
    accuracy: Share
    macro_precision: Share
    macro_recall: Share
    macro_f1: Share


class _Intervals(_Part):
    accuracy: Range | None = None
    macro_f1: Range | None = None


class _Class(_Part):
    f1: Share | None = None


class _Measured(_Part):
    """A record on other data."""

    dataset: str
    split: str
    n: Annotated[int, Field(ge=1)]
    metrics: _Metrics
    intervals: _Intervals = _Intervals()


class _Report(_Measured):
    """What is read of a ``report.json``; the rest is not looked at."""

    kind: Literal["transfer"]
    name: str
    rung: str
    parameters: Annotated[int, Field(ge=0)]
    trainable: Annotated[int, Field(ge=0)]
    seconds: float | None = None
    latency_ms: float | None = None
    labels: tuple[str, ...] = ()
    per_class: dict[str, _Class] = {}
    confusion: tuple[tuple[int, ...], ...] = ()
    history: tuple[dict[str, Any], ...] = ()
    cross: _Measured | None = None
    cross_sample: _Measured | None = None


def read_runs(paths: Sequence[Path]) -> list[ComparedRun]:
    """Read what ``facekit transfer`` reported, in the order given.

    Args:
        paths: Run folders, or their ``report.json``; at least one.

    Returns:
        One row a run; runs of one name get the name of their folder as well.

    Raises:
        UsageError: Nothing is given, or a run is given twice.
        DataError: A run has no report, or not one of ``facekit transfer``.
    """
    if not paths:
        raise UsageError("name at least one run folder of `facekit transfer`")
    files = [path / _REPORT if path.is_dir() else path for path in paths]
    twice = [str(file) for file, count in Counter(f.resolve() for f in files).items() if count > 1]
    if twice:
        raise UsageError(f"{twice[0]} is given twice: name every run once")
    reports = [_read(path, file) for path, file in zip(paths, files, strict=True)]
    names = Counter(report.name for report in reports)
    rows = []
    for report, file in zip(reports, files, strict=True):
        longer = f" ({file.resolve().parent.name})" if names[report.name] > 1 else ""
        rows.append(_row(report, report.name + longer, file.parent / "recipe.toml"))
    return rows


def compare_notes(runs: Sequence[ComparedRun]) -> list[str]:
    """What keeps runs from being compared number by number, a sentence each."""
    places = Counter(run.measured_on for run in runs)
    if len(places) < 2:
        return []
    return [
        f"Not measured on the same images ({'; '.join(places)}): differences may be the data's."
    ]


def write_comparison(path: Path, runs: Sequence[ComparedRun]) -> None:
    """Write the page; whole or not at all.

    Args:
        path: The HTML file; its folder exists.
        runs: From ``read_runs``.

    Raises:
        UsageError: The path is a folder, or its folder does not exist.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"--html {path} cannot be written: name a file in a folder that exists")
    write_output(path, comparison_page(runs, compare_notes(runs)))


def _read(path: Path, file: Path) -> _Report:
    try:
        content: Any = json.loads(read_regular(file))
    except FileNotFoundError:
        what = f"has no {_REPORT}" if path.is_dir() else "does not exist"
        raise DataError(
            f"{path} {what}: name the folder of a finished run of `facekit transfer`"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict) or content.get("kind") != "transfer":
        raise DataError(f"{file} is not the report of `facekit transfer`: name such a run")
    try:
        return _Report.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{file}: {where}: {first['msg']}: run `facekit transfer` again") from error


def _row(report: _Report, name: str, recipe: Path) -> ComparedRun:
    epochs = [row for row in report.history if "epoch" in row and "images_per_second" in row]
    reported = _reported(recipe)
    square = all(len(row) == len(report.labels) for row in report.confusion)
    return ComparedRun(
        **vars(_other(report)),
        name=name,
        rung=report.rung,
        macro_precision=report.metrics.macro_precision,
        macro_recall=report.metrics.macro_recall,
        macro_f1_interval=report.intervals.macro_f1,
        parameters=report.parameters,
        trainable=report.trainable,
        seconds=report.seconds,
        latency_ms=report.latency_ms,
        classes=report.labels,
        class_f1=_class_f1(report),
        confusion=report.confusion if square else (),
        epochs=len(epochs) or None,
        epoch_seconds=median(float(row["seconds"]) for row in epochs) if epochs else None,
        reported_accuracy=reported.get("accuracy"),
        reported_macro_f1=reported.get("macro_f1"),
        elsewhere=tuple(_other(one) for one in (report.cross_sample, report.cross) if one),
    )


def _class_f1(report: _Report) -> tuple[float | None, ...]:
    """In the order of the labels; nothing where an older report has none."""
    if not set(report.labels) <= set(report.per_class):
        return ()
    return tuple(report.per_class[label].f1 for label in report.labels)


def _other(record: _Measured) -> Elsewhere:
    """What a run and its trials on other data have in common."""
    return Elsewhere(
        measured_on=f"{record.dataset}/{record.split}, {record.n:,} images",
        accuracy=record.metrics.accuracy,
        accuracy_interval=record.intervals.accuracy,
        macro_f1=record.metrics.macro_f1,
    )


def _reported(recipe: Path) -> dict[str, float]:
    """What the run's recipe says was published, by measure without its partition."""
    try:
        expected = load_recipe(recipe, ()).expected
    except (FacekitError, OSError):  # an older run, or only its report is there
        return {}
    return {
        one.metric.partition("_")[2]: one.reported for one in expected if one.reported is not None
    }
