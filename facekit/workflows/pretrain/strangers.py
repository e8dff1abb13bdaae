"""Make the strangers that come with a backbone, and put them into its bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit.arrays import Bool, Int64, Str
from facekit.bundle.bundle import IDENTITY, Bundle, join_views
from facekit.bundle.load import load_bundle
from facekit.bundle.strangers import Strangers, render_strangers, strangers_file
from facekit.bundle.write import add_file
from facekit.cache.extract import extract
from facekit.datasets.sources import open_attributes
from facekit.errors import BundleError, DataError
from facekit.evaluation.claim import celeba_columns
from facekit.heads.head import activate
from facekit.system.terminal import progress_bar
from facekit.workflows.sources import Source, crop_source

#: Most people that are kept: 3 MB.
PEOPLE: Final = 10_000
#: The part that is taken of a backbone that cannot tell people apart.
_OTHERWISE: Final = "pooled"
_ATTRIBUTES: Final = "attributes"


def make_strangers(
    bundle: Bundle,
    data: Path,
    *,
    part: str | None = None,
    people_limit: int = PEOPLE,
    seed: int = 0,
) -> Strangers:
    """Embed one random photo each of CelebA's people in partitions 0 and 1.

    Args:
        bundle: Has the part and a head of attributes.
        data: CelebA folder with identity_CelebA.txt.
        part: Which part of the embedding; None takes "identity", or "pooled" of a
            backbone without it.
        people_limit: Most people, in [2, inf).
        seed: Of every draw.

    Returns:
        The strangers; see ``draw_people``.

    Raises:
        BundleError: The bundle lacks the part or the head.
        DataError: The folder cannot be used, or nobody says who is who.
    """
    if part is None:
        part = IDENTITY if IDENTITY in bundle.parts else _OTHERWISE
    _require(bundle, part)
    table = open_attributes("celeba", data, ("train", "val"))
    if table.person is None:
        raise DataError(
            f"{data} has no identity_CelebA.txt: without it one person could be counted as many"
        )
    rows, calibration = draw_people(table.person, table.split, people_limit, seed)
    source = crop_source(table.select(np.sort(rows)), bundle.frame)
    places = np.argsort(np.argsort(rows))  # of each drawn row among the sorted ones
    with progress_bar("strangers", 2 * len(rows)) as tick:
        return _embed(bundle, part, source, source.rows[places], calibration, tick)


def ship_strangers(bundle: Bundle, source: Source, *, seed: int = 0) -> dict[str, bytes]:
    """Strangers out of the crops that a bundle was trained and validated on.

    Args:
        bundle: Not yet written.
        source: Training and validation images.
        seed: Of every draw.

    Returns:
        The file that goes with the bundle, by name; nothing where nobody says who is
        who. Strangers are of the part ``pooled`` where there is no identity part.
    """
    person = source.table.person
    if person is None or len(set(person.tolist())) < 2:
        return {}
    part = IDENTITY if IDENTITY in bundle.parts else _OTHERWISE
    rows, calibration = draw_people(person, source.table.split, PEOPLE, seed)
    with progress_bar("strangers", 2 * len(rows)) as tick:
        strangers = _embed(bundle, part, source, source.rows[rows], calibration, tick)
    return {strangers_file(part): render_strangers(strangers)}


def draw_people(person: Str, split: Str, limit: int, seed: int) -> tuple[Int64, Bool]:
    """One random photo of each person, in random order, halved.

    People without a training photo calibrate, because the backbone never saw
    them; the others are halved at random so that both halves are equal.

    Args:
        person: str array of shape (n,).
        split: str array of shape (n,), "train" or another.
        limit: Most people; those who calibrate anyway are kept first.
        seed: Of every draw.

    Returns:
        int64 rows (people,) and bool (people,): who calibrates.

    Raises:
        DataError: There are fewer than two people.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(person))
    _, first = np.unique(person[shuffled], return_index=True)
    rows = rng.permutation(shuffled[first])
    if len(rows) < 2 or limit < 2:
        raise DataError(f"{len(rows)} people, at most {limit}: strangers need at least 2")
    seen = np.isin(person[rows], np.unique(person[split == "train"]))
    ordered = np.concatenate([rows[~seen], rows[seen]])[:limit]
    half = max(int((~seen).sum()), len(ordered) // 2)
    calibration = np.arange(len(ordered)) < min(half, len(ordered) - 1)  # somebody must teach
    mixed = rng.permutation(len(ordered))
    return ordered[mixed], calibration[mixed]


def _require(bundle: Bundle, part: str) -> None:
    if len(bundle.parts.get(part, ())) != 1 or _ATTRIBUTES not in bundle.heads:
        raise BundleError(
            f"the model {bundle.name} cannot make strangers: they need a backbone with the vector "
            f"{part!r} and a head {_ATTRIBUTES!r}"
        )


def _embed(
    bundle: Bundle,
    part: str,
    source: Source,
    places: Int64,
    calibration: Bool,
    tick: Callable[[int, int], None],
) -> Strangers:
    """Vectors and attributes of crops, one pass for each mirror view."""
    head = bundle.heads[_ATTRIBUTES]
    parts = sorted({part, *head.parts})
    views = []
    for mirror in (False, True):
        begun = len(places) * mirror

        def step(done: int, every: int, begun: int = begun) -> None:
            tick(begun + done, 2 * every)

        views.append(
            extract(source.cache, bundle, parts=parts, rows=places, mirror=mirror, progress=step)
        )
    logits: Any = head.logits(views[0])
    if bundle.manifest.mirror:
        logits = (logits + head.logits(views[1])) * np.float32(0.5)
    chance = celeba_columns(head.labels, activate(logits, head.activation))
    return Strangers(
        join_views(views[0][part], views[1][part]),
        np.rint(np.nan_to_num(chance, nan=0.5) * 255).astype(np.uint8),
        calibration,
        bundle.key,
        part,
    )


def add_strangers(folder: Path, strangers: Strangers) -> Bundle:
    """Put strangers into a bundle, or replace those of the same part.

    Args:
        folder: Of the bundle that holds the backbone; can be written to.
        strangers: Made with that backbone.

    Returns:
        The bundle, read back.

    Raises:
        BundleError: The bundle is damaged, has another backbone, or lends its own.
    """
    bundle = load_bundle(folder)
    if bundle.graph.parent.resolve() != folder.resolve():
        raise BundleError(
            f"{folder} goes on from the backbone in {bundle.graph.parent}: "
            "the strangers belong there"
        )
    if bundle.key != strangers.key:
        raise BundleError(f"{folder} has another backbone than the one that made the strangers")
    return add_file(folder, strangers_file(strangers.part), render_strangers(strangers))
