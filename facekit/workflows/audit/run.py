"""Audit a data set: copies, conflicting labels, bad pictures, likely wrong labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit.arrays import Float32, Int64
from facekit.bundle.bundle import Bundle
from facekit.bundle.load import load_bundle
from facekit.cache.crops import picture_sizes
from facekit.datasets.cards import count_table
from facekit.datasets.celeba import SPLITS
from facekit.datasets.sources import open_attributes, open_classes
from facekit.datasets.table import Table
from facekit.errors import UsageError, nearest
from facekit.evaluation.mistakes import Suspect, likely_wrong, likely_wrong_attributes
from facekit.photos.copies import ORDER, Copies, exact_groups, near_copies
from facekit.photos.quality import CropMeasures, measure_crops
from facekit.report.record import write_json
from facekit.system.files import PICTURE_SUFFIXES, write_atomically, write_output
from facekit.system.pool import one_library_thread
from facekit.system.sheet import list_text
from facekit.system.terminal import progress_bar
from facekit.workflows.audit.findings import (
    EXCLUDABLE,
    Finding,
    broken_findings,
    copy_findings,
    count_groups,
    excluded_ids,
    findings_csv,
    group_numbers,
    picture_findings,
    suspect_findings,
)
from facekit.workflows.audit.page import audit_record, write_audit_page
from facekit.workflows.audit.scores import ProbeRow, cross_scores, probe_splits, read_embedding
from facekit.workflows.sources import Source, crop_source

#: Data sets that can be audited.
AUDITED: Final = ("fer", "celeba", "folder")
#: What is left out unless something else is asked for: nothing that is a guess.
CERTAIN: Final = ("duplicates", "conflicts", "broken")


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes:
        record: Counts of everything, as ``facekit audit --json`` prints them.
        findings: One line for everything odd about a picture.
        excluded: Ids that the asked findings leave out.
        folder: Where ``audit.html``, ``findings.csv`` and ``audit.json`` are.
    """

    record: dict[str, Any]
    findings: tuple[Finding, ...]
    excluded: tuple[str, ...]
    folder: Path


@dataclass(frozen=True)
class _Seen:
    """Everything that was measured, row by row of the source's table."""

    source: Source
    exact: Int64
    copies: Copies
    measures: CropMeasures
    sizes: Int64
    suspects: list[Suspect]
    scores: Float32 | None
    probe: list[ProbeRow]


def audit(
    dataset: str,
    data: Path | str | None,
    *,
    out: Path | str = "facekit-audit",
    model: str | Path | None = None,
    people: Path | None = None,
    exclude_out: Path | None = None,
    exclude: Sequence[str] = CERTAIN,
    keep: str = "train",
) -> Audit:
    """Look for what is wrong with a data set; nothing of it is changed.

    Likely wrong labels come from a linear head on the bundle's backbone. One that
    was trained on these very labels remembers some of them and contests fewer.

    Args:
        dataset: ``fer``, ``celeba`` or ``folder``.
        data: Its folder (or ``fer2013.csv``).
        out: Folder for the page, the list and the numbers; files of an earlier
            audit are replaced. Thumbnails are nowhere else.
        model: Name or folder of the bundle that embeds; None for the shipped one.
        people: For ``folder``: a csv that says who is in each picture.
        exclude_out: File to write with the ids to leave out, for ``--exclude``.
        exclude: Which findings it lists: keys of ``EXCLUDABLE``.
        keep: Which split keeps a picture that several have, train or test; the
            others count as repeating it.

    Returns:
        What was found.

    Raises:
        UsageError: An argument is not allowed.
        FacekitError: The data or the bundle cannot be used.
    """
    _check(dataset, data, exclude, keep, exclude_out)
    if Path(out).exists() and not Path(out).is_dir():
        raise UsageError(f"--out {out} is a file: name a folder")
    if people is not None and dataset != "folder":
        raise UsageError(f"--people goes with folder, not with {dataset}")
    table = _open(dataset, data, people)
    bundle = load_bundle(model)
    seen = _look(bundle, table)
    errors = seen.source.cache.errors
    here = seen.source.table
    order = ORDER if keep == "train" else ORDER[::-1]
    findings = (
        *broken_findings(table, errors),
        *picture_findings(here, seen.measures, seen.sizes),
        *copy_findings(here, seen.exact, seen.copies, order=order),
        *suspect_findings(here, seen.suspects, group_numbers(seen.copies.groups)),
    )
    excluded = excluded_ids(findings, exclude, table)
    record = audit_record(
        dataset,
        table,
        findings,
        count_groups(here, seen.exact, seen.copies.groups),
        count_table(table),
        seen.probe,
        _accuracy(here, seen.scores),
    )
    record["model"] = bundle.name
    record["exclude"] = {"findings": list(exclude), "keep": keep, "ids": len(excluded)}
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    rows = findings_csv(findings).encode("utf-8", "surrogateescape")  # names as on the disk
    write_atomically(folder / "findings.csv", rows)
    write_json(folder / "audit.json", record)
    write_audit_page(folder / "audit.html", record, findings, seen.source, bundle)
    if exclude_out is not None:
        write_output(exclude_out, list_text(excluded))
    return Audit(record, findings, tuple(excluded), folder)


def _check(
    dataset: str,
    data: Path | str | None,
    exclude: Sequence[str],
    keep: str,
    exclude_out: Path | None,
) -> None:
    named = [("data set", dataset, AUDITED), ("keep", keep, ("train", "test"))]
    named += [("exclude", one, tuple(EXCLUDABLE)) for one in exclude]
    for what, given, known in named:
        if given not in known:
            raise UsageError(f"{what} {given!r} is not known{nearest(given, known)}")
    if data is None:
        raise UsageError(f"--data is missing: name the folder of {dataset}")
    if exclude_out is not None and (exclude_out.is_dir() or not exclude_out.parent.is_dir()):
        raise UsageError(f"--exclude-out {exclude_out} must be a file in a folder that exists")
    if exclude_out is not None and exclude_out.suffix.lower() in PICTURE_SUFFIXES:
        raise UsageError(f"--exclude-out {exclude_out} is called like a picture: name a csv")


def _open(dataset: str, data: Path | str | None, people: Path | None) -> Table:
    folder = None if data is None else Path(data)
    if dataset == "celeba":
        return open_attributes("celeba", folder, SPLITS, allow_missing=True)
    return open_classes(dataset, folder, people=people)


def _look(bundle: Bundle, table: Table) -> _Seen:
    source = crop_source(table, bundle.frame, allow_missing=True)
    crops, rows, here = source.cache.crops, source.rows, source.table
    with one_library_thread():
        with progress_bar("copies", len(rows)) as tick:
            exact = exact_groups(crops, rows=rows)
            copies = near_copies(crops, rows=rows, progress=tick)
        with progress_bar("pictures", len(rows)) as tick:
            measures = measure_crops(crops, rows=rows, progress=tick)
        x = read_embedding(bundle, source)
    scores = cross_scores(x, source, copies.groups)
    probe = probe_splits(x, source, exact, copies.groups)
    return _Seen(
        source, exact, copies, measures, picture_sizes(here), _suspects(here, scores), scores, probe
    )


def _suspects(table: Table, scores: Float32 | None) -> list[Suspect]:
    if scores is None:
        return []
    find = likely_wrong if table.labels.ndim == 1 else likely_wrong_attributes
    return find(table.labels, scores)


def _accuracy(table: Table, scores: Float32 | None) -> float | None:
    """Share of labels that the cross-validated scores agree with."""
    if scores is None:
        return None
    labels = np.asarray(table.labels, np.int64)
    known = labels >= 0
    answers = scores.argmax(1) if labels.ndim == 1 else scores >= 0.5
    return float((answers == labels)[known].mean())
