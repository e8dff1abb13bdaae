"""Strangers are drawn one photo a person, and nobody is in both halves."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.bundle.bundle import identity_vectors
from facekit.bundle.load import load_bundle
from facekit.bundle.strangers import read_strangers
from facekit.bundle.write import write_bundle
from facekit.datasets.sources import open_attributes
from facekit.errors import BundleError, DataError
from facekit.workflows.pretrain.strangers import draw_people, make_strangers, ship_strangers
from facekit.workflows.sources import crop_source


def test_one_photo_a_person_and_even_halves() -> None:
    person = np.repeat(np.arange(40).astype(str), 3)
    split = np.where(np.arange(120) < 90, "train", "val")  # people 30 to 39 were never seen
    rows, calibration = draw_people(person, split, 100, 0)
    assert sorted(person[rows]) == sorted(set(person))
    assert calibration.sum() == 20 and calibration[split[rows] == "val"].all()
    assert not (np.diff(rows) > 0).all()  # in no order
    again = draw_people(person, split, 100, 0)
    np.testing.assert_array_equal(rows, again[0])
    assert (rows != draw_people(person, split, 100, 1)[0]).any()
    assert len(set((rows % 3).tolist())) == 3  # not always the first photo


def test_a_person_with_one_training_photo_was_seen() -> None:
    person, split = np.array(["a", "a", "b", "c"]), np.array(["train", "val", "val", "train"])
    for seed in range(8):
        rows, calibration = draw_people(person, split, 9, seed)
        who = dict(zip(person[rows].tolist(), calibration.tolist(), strict=True))
        assert who == {"a": False, "b": True, "c": False}


def test_those_who_were_never_seen_are_kept_first() -> None:
    person = np.arange(50).astype(str)
    split = np.where(np.arange(50) < 44, "train", "val")
    rows, calibration = draw_people(person, split, 20, 0)
    assert len(rows) == 20 and calibration.sum() == 10
    assert (split[rows] == "val").sum() == 6
    everybody, halves = draw_people(person, np.full(50, "val"), 50, 0)
    assert len(everybody) == 50 and (~halves).sum() == 1  # somebody must teach
    with pytest.raises(DataError, match="at least 2"):
        draw_people(person[:1], split[:1], 9, 0)


def test_cartoon_people_become_strangers(
    tiny_bundle: Path, cartoon_celeba: Path, facekit_home: Path
) -> None:
    bundle = load_bundle(tiny_bundle)
    found = make_strangers(bundle, cartoon_celeba)
    table = open_attributes("celeba", cartoon_celeba, ("train", "val"))
    assert table.person is not None
    assert len(found) == len(set(table.person.tolist())) and found.key == bundle.key
    source = crop_source(table, bundle.frame, progress=False)
    crops = source.cache.crops[source.rows]
    vectors, chances = identity_vectors(bundle, crops), bundle.scores(crops, ["attributes"])
    for vector, attributes, out in zip(
        found.vectors, found.probabilities, found.calibration, strict=True
    ):
        (row,) = np.flatnonzero(np.abs(vectors - vector).max(1) < 1e-5)
        np.testing.assert_allclose(attributes, chances["attributes"][row], atol=0.0021)
        assert out or table.split[row] == "train"


def test_a_new_bundle_gets_them_where_it_can(
    tiny_bundle: Path, tiny_contents: Any, cartoon_celeba: Path, facekit_home: Path, tmp_path: Path
) -> None:
    bundle = load_bundle(tiny_bundle)
    table = open_attributes("celeba", cartoon_celeba, ("train", "val"))
    source = crop_source(table, bundle.frame, progress=False)
    nameless = type(source)(_without_people(table), source.cache, source.rows)
    assert ship_strangers(bundle, nameless) == {}
    files = ship_strangers(bundle, source)
    made = write_bundle(tmp_path / "made", replace(tiny_contents, files=files))
    assert len(read_strangers(made)) > 5


def test_another_part_stands_in_where_nobody_can_be_told_apart(
    tiny_bundle: Path, cartoon_celeba: Path, facekit_home: Path
) -> None:
    bundle = load_bundle(tiny_bundle)
    asked = make_strangers(bundle, cartoon_celeba, part="pooled")
    parts = {name: shape for name, shape in bundle.parts.items() if name != "identity"}
    blind = replace(bundle, manifest=bundle.manifest.model_copy(update={"parts": parts}))
    found = make_strangers(blind, cartoon_celeba)
    assert (asked.part, found.part) == ("pooled", "pooled") and found.vectors.shape[1] == 3
    np.testing.assert_array_equal(found.vectors, asked.vectors)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, rtol=1e-5)
    with pytest.raises(BundleError, match="the vector 'grid'"):
        make_strangers(bundle, cartoon_celeba, part="grid")


def _without_people(table):  # type: ignore[no-untyped-def]
    return replace(table, person=None)


def test_what_cannot_make_strangers_is_refused(
    tiny_bundle: Path, cartoon_celeba: Path, facekit_home: Path, tmp_path: Path
) -> None:
    bundle = load_bundle(tiny_bundle)
    with pytest.raises(BundleError, match="cannot make strangers"):
        make_strangers(replace(bundle, heads={}), cartoon_celeba)
    nameless = Path(shutil.copytree(cartoon_celeba, tmp_path / "nameless"))
    for path in nameless.rglob("identity_CelebA.txt"):
        path.unlink()
    with pytest.raises(DataError, match=r"identity_CelebA\.txt"):
        make_strangers(bundle, nameless)
