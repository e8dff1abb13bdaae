"""Strangers come with a backbone, fit it alone, and are checked when read."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from facekit.bundle import load as zoo
from facekit.bundle.load import load_bundle
from facekit.bundle.manifest import read_manifest
from facekit.bundle.strangers import (
    STRANGERS,
    Strangers,
    read_strangers,
    render_strangers,
    strangers_file,
)
from facekit.bundle.write import add_file, write_bundle
from facekit.errors import BundleError
from facekit.heads.kinds import LinearHead
from facekit.labels import ATTRIBUTES
from facekit.workflows.models import add_model
from facekit.workflows.pretrain.strangers import add_strangers

if TYPE_CHECKING:
    from facekit.bundle.write import BundleContents

RNG = np.random.default_rng(0)


def people(key: str, n: int = 12) -> Strangers:
    vectors = RNG.normal(size=(n, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    attributes = RNG.integers(0, 256, (n, 40), dtype=np.uint8)
    return Strangers(vectors.astype(np.float32), attributes, np.arange(n) % 3 == 0, key)


@pytest.fixture
def folder(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A bundle with strangers, which the test may spoil."""
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    add_strangers(copy, people(load_bundle(copy).key))
    return copy


def test_what_was_added_is_read_back(tiny_bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    before = load_bundle(copy)
    given = people(before.key)
    bundle = add_strangers(copy, given)
    found = read_strangers(bundle)
    np.testing.assert_allclose(found.vectors, given.vectors, atol=1e-3)
    assert found.vectors.dtype == np.float32
    np.testing.assert_array_equal(found.attributes, given.attributes)
    assert found.probabilities.max() <= 1 and found.probabilities.dtype == np.float32
    assert len(found.training()) == 8 and found.calibration_set().calibration.all()
    assert bundle.key == before.key and list(bundle.heads) == list(before.heads)
    assert [entry.file for entry in bundle.manifest.others] == ["card.md", STRANGERS]
    add_strangers(copy, people(before.key, 20))  # replaced, not listed twice
    assert [entry.file for entry in load_bundle(copy).manifest.others] == ["card.md", STRANGERS]
    assert len(read_strangers(load_bundle(copy))) == 20


def test_the_same_strangers_give_the_same_bytes_without_pickle() -> None:
    given = people("k")
    assert render_strangers(given) == render_strangers(given)
    with np.load(io.BytesIO(render_strangers(given)), allow_pickle=False) as file:
        assert sorted(file.files) == ["attributes", "calibration", "key", "vectors"]
        assert file["vectors"].dtype == np.float16


def pooled(key: str, n: int = 300) -> Strangers:
    """As an average behind ReLU gives: no number below 0, one column always 0."""
    rows = np.maximum(RNG.normal(0.5, 1, (n, 3)), 0)
    rows[:, 2] = 0
    rows[:, 0] += 1e-3
    vectors = np.float32(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    looks = RNG.integers(0, 256, (n, 40), dtype=np.uint8)
    return Strangers(vectors, looks, np.arange(n) % 2 == 0, key, "pooled")


def test_each_part_has_a_file_and_wide_ones_are_small(folder: Path) -> None:
    given = pooled(load_bundle(folder).key)
    bundle = add_strangers(folder, given)
    files = [entry.file for entry in bundle.manifest.others]
    assert files == ["card.md", STRANGERS, strangers_file("pooled")]
    found = read_strangers(bundle, "pooled")
    assert found.part == "pooled" and len(read_strangers(bundle)) == 12
    np.testing.assert_allclose(found.vectors, given.vectors, atol=0.004)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, rtol=1e-6)
    assert not found.vectors[:, 2].any()
    assert {one.part for one in (found.training(), found.calibration_set())} == {"pooled"}
    assert render_strangers(given) == render_strangers(given)
    with np.load(io.BytesIO(render_strangers(given)), allow_pickle=False) as file:
        assert file["vectors"].dtype == np.uint8
        assert (file["vectors"].max(0)[:2] == 255).all()


def test_strangers_of_one_part_are_no_others(folder: Path, tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"in the part 'pooled': make them .*--part pooled"):
        read_strangers(load_bundle(folder), "pooled")
    add_file(folder, strangers_file("pooled"), (folder / STRANGERS).read_bytes())
    with pytest.raises(BundleError, match="holds the part 'identity'") as caught:
        read_strangers(load_bundle(folder), "pooled")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"low": np.zeros(4, np.float32)},
        {"step": np.full(3, np.inf, np.float32)},
        {"step": None},
        {"vectors": np.zeros((300, 3), np.float32)},
        {"vectors": np.zeros((300, 3, 1), np.uint8)},
    ],
)
def test_damaged_steps_are_refused_in_one_line(folder: Path, change: dict[str, object]) -> None:
    data = render_strangers(pooled(load_bundle(folder).key))
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    arrays = {k: v for k, v in {**arrays, **change}.items() if v is not None}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    add_file(folder, strangers_file("pooled"), buffer.getvalue())
    with pytest.raises(BundleError) as caught:
        read_strangers(load_bundle(folder), "pooled")
    assert "strangers-pooled.npz" in str(caught.value) and "\n" not in str(caught.value)


def test_those_of_the_attribute_network_fit_it() -> None:
    if not (zoo.shipped_folder() / "celeba-attributes-cnn").is_dir():
        pytest.skip("celeba-attributes-cnn is not among the shipped models here")
    bundle = load_bundle("celeba-attributes-cnn")
    found = read_strangers(bundle, "pooled")
    path = bundle.folder / strangers_file("pooled")
    assert path.stat().st_size <= 2_500_000 and len(found.training()) > 3000
    assert len({row.tobytes() for row in found.vectors}) == len(found)


def test_a_bundle_without_strangers_says_how_to_make_them(tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match="brings no strangers") as caught:
        read_strangers(load_bundle(tiny_bundle))
    assert "facekit models strangers" in str(caught.value) and "\n" not in str(caught.value)


def test_strangers_of_another_backbone_are_refused(folder: Path, tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match="another backbone"):
        add_strangers(folder, people("0123456789abcdef"))
    add_file(folder, STRANGERS, render_strangers(people("0123456789abcdef")))
    with pytest.raises(BundleError, match=r"made with another backbone \(0123456789abcdef") as one:
        read_strangers(load_bundle(folder))
    assert "\n" not in str(one.value)


def test_a_changed_byte_is_refused(folder: Path) -> None:
    bundle = load_bundle(folder)
    path = folder / STRANGERS
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(BundleError, match="altered since it was made"):
        load_bundle(folder)
    with pytest.raises(BundleError, match="altered since it was made"):
        read_strangers(bundle)
    path.unlink()
    with pytest.raises(BundleError, match="cannot be read"):
        read_strangers(bundle)


@pytest.mark.parametrize(
    "change",
    [
        {"vectors": np.zeros((3, 8), np.float16)},
        {"vectors": np.full((12, 8), np.nan, np.float16)},
        {"attributes": np.zeros((12, 40), np.float32)},
        {"calibration": np.zeros(12, np.uint8)},
        {"key": None},
        {"calibration": np.array([None] * 12, object)},
    ],
)
def test_damaged_arrays_are_refused_in_one_line(folder: Path, change: dict[str, object]) -> None:
    given = people(load_bundle(folder).key)
    arrays: dict[str, object] = {
        "vectors": given.vectors.astype(np.float16),
        "attributes": given.attributes,
        "calibration": given.calibration,
        "key": np.array(given.key),
    }
    arrays = {k: v for k, v in {**arrays, **change}.items() if v is not None}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    add_file(folder, STRANGERS, buffer.getvalue())
    with pytest.raises(BundleError) as caught:
        read_strangers(load_bundle(folder))
    assert STRANGERS in str(caught.value) and "\n" not in str(caught.value)


def test_a_bundle_of_heads_finds_those_of_its_base(
    folder: Path, tiny_contents: BundleContents, facekit_home: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, facekit_home / "models" / "tiny")
    head = LinearHead(
        parts=("pooled",), labels=("a", "b"), weight=np.eye(3, 2), bias=np.zeros(2)
    )  # fmt: skip
    moods = write_bundle(
        tmp_path / "moods", replace(tiny_contents, name="moods", heads={"m": head}, base="tiny")
    )
    assert len(read_strangers(moods)) == 12
    with pytest.raises(BundleError, match="the strangers belong there"):
        add_strangers(moods.folder, people(moods.key))
    assert not (moods.folder / STRANGERS).exists()


def test_another_file_or_a_copy_keeps_them(folder: Path, facekit_home: Path) -> None:
    add_file(folder, "notes.txt", b"more")
    assert len(read_strangers(load_bundle(folder))) == 12
    add_model(folder)
    assert len(read_strangers(load_bundle("tiny"))) == 12


def test_those_that_ship_fit_the_default_and_its_companions() -> None:
    for name in (None, *zoo.COMPANIONS):
        bundle = load_bundle(name)
        found = read_strangers(bundle)
        assert found.key == bundle.key
    path = zoo.shipped_folder() / zoo.DEFAULT / STRANGERS
    assert path.stat().st_size <= 4_000_000
    assert STRANGERS in {entry.file for entry in read_manifest(path.parent).others}
    assert len(found) > 7000 and abs(2 * int(found.calibration.sum()) - len(found)) <= 1
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-3)
    assert len({row.tobytes() for row in found.vectors}) == len(found)
    men = found.probabilities[:, ATTRIBUTES.index("Male")] > 0.5
    assert 0.3 < men.mean() < 0.6  # four of ten of CelebA's people
    runs = np.flatnonzero(np.diff(found.calibration.astype(int)))
    assert len(runs) > len(found) / 3  # shuffled
