"""Which images a head was fitted on: a sketch in its manifest, and a look at it later.

Numbers on images that taught a head say how well it remembers. The sketch is the smallest
hashes of the files (a bottom-k sketch): of few images all of them, of many enough to tell
which share of others were among them. Whoever lacks the very files reads nothing from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from facekit.cache.crops import content_marks, encoded
from facekit.datasets.registry import SOURCES
from facekit.datasets.table import Table
from facekit.system.home import cache_folder
from facekit.system.terminal import tell

#: Hashes kept, and hexadecimal digits of each: two of a million files agree with 0.2 %.
_KEPT, _DIGITS = 512, 12


def sketch(table: Table) -> dict[str, Any]:
    """What a manifest's ``training`` says of the rows that were learned from.

    Returns:
        ``{"images": n, "hashes": text}``: the smallest hashes, one after the other.
    """
    marks = sorted(set(_marks(table)))
    return {"images": len(table), "hashes": "".join(marks[:_KEPT])}


def count_taught(training: Mapping[str, Any], table: Table, split: str) -> int | None:
    """How many rows taught a head; standard error says so where there are any.

    Args:
        training: Of the manifest. One without a sketch was fitted on "train" of the
            data set it names.
        table: What is measured.
        split: Name of its partition.

    Returns:
        Their number, about right for a head of many images; None where nothing is known.
    """
    known = training.get("taught")
    if not known:
        backbone = training.get("backbone") or {}
        if table.name not in (training.get("data"), backbone.get("data")) or _own(table.name):
            return None
        found = len(table) if split == "train" else 0
    else:
        text = known["hashes"]
        kept = {text[i : i + _DIGITS] for i in range(0, len(text), _DIGITS)}
        marks = _marks(table)
        last = max(kept) if len(kept) == _KEPT else "g"  # above every digit: nothing is left out
        within = [mark in kept for mark in marks if mark <= last]
        found = round(len(marks) * float(np.mean(within))) if within else 0
    if found:
        about = "about " if known and known["images"] > _KEPT else ""
        tell(
            f"{about}{found:,} of these {len(table):,} images taught this head: the numbers say "
            "how well it remembers them, not how well it reads new ones; name another --split"
        )
    return found


def _own(name: str) -> bool:
    """Whether any folder goes by that name."""
    return name not in SOURCES or SOURCES[name].own


def _marks(table: Table) -> list[str]:
    sources = encoded(table, np.arange(len(table)))
    return [
        mark[:_DIGITS]
        for mark in content_marks(sources, cache_folder() / "crops" / "contents.sqlite")
    ]
