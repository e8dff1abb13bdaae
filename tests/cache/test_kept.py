"""Arrays made of features: kept whole, checked when read, made again where damaged."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from facekit.cache import kept as kept_module
from facekit.cache.features import clear_sets, list_sets
from facekit.cache.kept import Kept, Made, content_key


class Maker:
    """Makes the same arrays every time, and counts how often."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> Made:
        self.made += 1
        half = np.arange(12, dtype=np.float16).reshape(3, 4)
        return {
            "mean": np.ones(3, np.float32),
            "views 0": half,
            "views 1": half.T,
            "none": half[:0],
        }


def same(one: Made, other: Made) -> None:
    assert list(one) == list(other)
    for name, array in one.items():
        assert array.dtype == other[name].dtype
        np.testing.assert_array_equal(array, other[name])


def test_what_was_made_is_read(tmp_path: Path) -> None:
    make = Maker()
    for _ in range(3):
        same(Kept(tmp_path, "a").arrays(make, what="inputs"), Maker()())
    assert make.made == 1


@pytest.mark.parametrize("other", [("b", "inputs"), ("a", "components")])
def test_another_key_has_other_arrays(tmp_path: Path, other: tuple[str, str]) -> None:
    make = Maker()
    for key, what in (("a", "inputs"), other):
        Kept(tmp_path, key).arrays(make, what=what)
    assert make.made == 2


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    make = Maker()
    for _ in range(2):
        Kept(None, "a").arrays(make)
    assert make.made == 2 and not list(tmp_path.iterdir())


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def alter(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def rename(folder: Path) -> None:
    path = folder / "kept.json"
    path.write_text(path.read_text().replace("mean", "main"))


def forget(folder: Path) -> None:
    (folder / "kept.json").write_text("{}")


def retype(folder: Path) -> None:
    path = folder / "1.npy"
    path.write_bytes(path.read_bytes().replace(b"<f2", b"<i2"))


@pytest.mark.parametrize("damage", [rename, forget, retype])
def test_names_and_types_are_checked_too(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    make = Maker()
    Kept(tmp_path, "a").arrays(make)
    damage(next((tmp_path / "made").iterdir()))
    same(Kept(tmp_path, "a").arrays(make), Maker()())
    assert make.made == 2


@pytest.mark.parametrize("name", ["0.npy", "1.npy", "kept.json"])
@pytest.mark.parametrize("damage", [cut, alter, Path.unlink, lambda path: path.write_bytes(b"[1]")])
def test_what_was_damaged_is_made_again(
    tmp_path: Path, name: str, damage: Callable[[Path], object]
) -> None:
    make = Maker()
    Kept(tmp_path, "a").arrays(make)
    damage(next(tmp_path.rglob(name)))
    for _ in range(2):
        same(Kept(tmp_path, "a").arrays(make), Maker()())
    assert make.made == 2


def test_the_last_used_ones_stay(tmp_path: Path) -> None:
    make = Maker()
    for age, key in enumerate("abcd"):
        Kept(tmp_path, key).arrays(make)
        folder = tmp_path / "made" / content_key(key, {})
        os.utime(folder, (1000 + age, 1000 + age))
    Kept(tmp_path, "a").arrays(make)  # used again: now b is the oldest
    Kept(tmp_path, "e").arrays(make)
    assert make.made == 5 and len(list((tmp_path / "made").iterdir())) == 4
    Kept(tmp_path, "a").arrays(make)
    assert make.made == 5
    Kept(tmp_path, "b").arrays(make)
    assert make.made == 6


def test_a_full_disk_is_told_and_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    same(Kept(tmp_path, "a").arrays(Maker()), Maker()())
    assert "keeps nothing for the next run: 0 MB are needed" in caplog.text
    assert not list((tmp_path / "made").iterdir())


def test_they_are_counted_and_cleared_with_the_features(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "set.json").write_text('{"model": "tiny"}')
    before = list_sets(tmp_path)[0]
    Kept(tmp_path / "set", "a").arrays(Maker())
    after = list_sets(tmp_path)[0]
    assert after.size > before.size and (after.views, after.rows) == (0, 0)
    clear_sets(tmp_path)
    assert not list(tmp_path.iterdir())


def test_keys_tell_arrays_and_their_shapes_apart() -> None:
    one = np.arange(6, dtype=np.uint8)
    keys = [(one,), (one.reshape(2, 3),), (one.view(np.int8),), (one, "a"), (one[:3], one[3:])]
    assert len({content_key(*each) for each in keys}) == len(keys)
    assert content_key(one, {"a": 1, "b": 2}) == content_key(one.copy(), {"b": 2, "a": 1})


def test_numbers_of_another_version_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Maker()
    Kept(tmp_path, "a").arrays(make)
    monkeypatch.setattr(kept_module, "_VERSION", 2)
    Kept(tmp_path, "a").arrays(make)
    assert make.made == 2
