"""The small folder that is carried home: at most eight files, below 60 MB."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from facekit.report.record import read_history
from facekit.system.files import write_atomically
from gpu.stages import Stage

_FILES: Final = 8
_BYTES: Final = 58_000_000
#: Of a run, beside its bundle, or its best weights where it has not finished.
_NOTES: Final = ("metrics.jsonl", "recipe.toml", "report.json", "card.md")


def save_results(work: Path, stages: Sequence[Stage], states: Mapping[str, str]) -> None:
    """Bring ``results`` up to date: ``summary.json``, and a zip a stage while they fit.

    Args:
        work: Holds ``runs``.
        stages: Those with the lowest ``keep`` come first.
        states: What became of each, for the summary.
    """
    out = work / "results"
    out.mkdir(exist_ok=True)
    metrics = {one.name: read_history(work / "runs" / one.name / "metrics.jsonl") for one in stages}
    summary = {"stages": dict(states), "metrics": metrics}
    size = len(text := json.dumps(summary) + "\n")
    write_atomically(out / "summary.json", text)
    kept: list[str] = []
    for stage in sorted(stages, key=lambda stage: stage.keep):
        run, path = work / "runs" / stage.name, out / f"{stage.name}.zip"
        inside = _inside(run)
        if not inside:
            continue
        if not path.exists() or path.stat().st_mtime < max(x.stat().st_mtime for x in inside):
            _write(path, run, inside)
        if len(kept) < _FILES - 1 and size + path.stat().st_size <= _BYTES:
            size += path.stat().st_size
            kept.append(path.name)
    for path in out.glob("*.zip"):
        if path.name not in kept:
            path.unlink()


def _inside(run: Path) -> list[Path]:
    """What is carried home of a run; nothing before its first best epoch."""
    bundle = sorted((run / "bundle").glob("*"))
    weights = bundle or [path for path in [run / "best.npz"] if path.exists()]
    notes = [run / name for name in _NOTES if (run / name).exists()]
    return [*weights, *notes] if weights else []


def _write(path: Path, run: Path, inside: Sequence[Path]) -> None:
    draft = path.with_suffix(".part")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for one in inside:
            archive.write(one, f"{run.name}/{one.relative_to(run)}")
    os.replace(draft, path)
