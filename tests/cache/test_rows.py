"""Rows on disk and their index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facekit.cache.rows import Found, RowFile

RNG = np.random.default_rng(0)
HASHES = RNG.integers(0, 256, (50, 16), np.uint8)
ROWS = RNG.normal(size=(50, 3, 4)).astype(np.float16)


@pytest.fixture
def file(tmp_path: Path) -> RowFile:
    made = RowFile(tmp_path, "grid", (3, 4))
    for start in (0, 20, 30):
        made.append(HASHES[start : start + 15], ROWS[start : start + 15])
    return made


def read(file: RowFile, index: list[int]) -> tuple[np.ndarray, np.ndarray]:
    rows, good = file.read(file.find(HASHES[index]), HASHES[index])
    return rows.reshape(-1, 3, 4), good


def test_rows_come_back_in_any_order(file: RowFile) -> None:
    index = [3, 4, 5, 17, 44, 0, 49, 31, 3]
    rows, good = read(file, index)
    assert good.tolist() == [i not in (17, 49) for i in index]
    assert np.array_equal(rows[good], ROWS[index][good])
    assert file.data.stat().st_size == 45 * file.row_bytes
    assert file.index.stat().st_size == 45 * 20


def test_the_last_row_of_a_crop_counts(file: RowFile) -> None:
    file.append(HASHES[[5, 40]], ROWS[[5, 40]] + 1)
    rows, good = read(file, [4, 5, 40])
    assert good.all()
    assert np.array_equal(rows, ROWS[[4, 5, 40]] + np.float16([0, 1, 1])[:, None, None])


def test_hashes_that_share_a_half_are_told_apart(file: RowFile) -> None:
    near = HASHES[[7]].copy()
    near[0, 12] ^= 1
    assert file.find(near).places.tolist() == [-1]


@pytest.mark.parametrize("kept", [7, 20 * 10, 20 * 10 + 19])
def test_an_index_that_was_cut_keeps_whole_records(file: RowFile, kept: int) -> None:
    file.index.write_bytes(file.index.read_bytes()[:kept])
    assert read(file, [0, 9, 10, 14])[1].tolist() == [kept > 20, kept >= 200, False, False]
    file.append(HASHES[45:], ROWS[45:])  # goes on behind the whole ones
    assert file.index.stat().st_size == (kept // 20 + 5) * 20
    rows, good = read(file, [45, 49])
    assert good.all() and np.array_equal(rows, ROWS[[45, 49]])


def test_rows_beyond_the_index_do_not_count(file: RowFile) -> None:
    with file.data.open("ab") as data:  # killed before the index was written
        data.write(b"\xff" * 100)
    file.append(HASHES[45:], ROWS[45:])
    rows, good = read(file, [44, 45, 49])
    assert good.all() and np.array_equal(rows, ROWS[[44, 45, 49]])
    assert file.data.stat().st_size == 50 * file.row_bytes


def test_every_single_bit_is_watched(file: RowFile) -> None:
    whole = file.data.read_bytes()
    for at in RNG.integers(0, len(whole), 30).tolist():
        spoilt = bytearray(whole)
        spoilt[at] ^= 1 << (at % 8)
        file.data.write_bytes(spoilt)
        stored = [*range(15), *range(20, 45)]
        rows, good = read(file, stored)
        assert (~good).sum() <= 1
        assert np.array_equal(rows[good], ROWS[stored][good])
        owner = at // file.row_bytes  # 0-14, then 20-34 of which 30-34 were written again
        assert good.all() if 25 <= owner < 30 else (~good).sum() == 1


def test_rows_out_of_place_are_not_good(file: RowFile) -> None:
    whole = file.data.read_bytes()
    file.data.write_bytes(whole[file.row_bytes :])
    assert not read(file, [0, 1, 44])[1].any()


@pytest.mark.parametrize("left", [0, 5.5, None])
def test_a_data_file_that_was_cut_or_lost(file: RowFile, left: float | None) -> None:
    whole = file.data.read_bytes()
    file.data.unlink()
    if left is not None:
        file.data.write_bytes(whole[: int(left * file.row_bytes)])
    assert read(file, list(range(15)))[1].sum() == int(left or 0)
    file.append(HASHES[[14]], ROWS[[14]])
    rows, good = read(file, [14])
    assert good.all() and np.array_equal(rows, ROWS[[14]])


def test_nothing_there(tmp_path: Path) -> None:
    file = RowFile(tmp_path, "grid", (3, 4))
    assert file.find(HASHES).places.tolist() == [-1] * 50
    assert not read(file, [1, 2])[1].any()
    assert read(file, [])[0].shape == (0, 3, 4)


@pytest.mark.parametrize("part", ["../grid", "a/b", "Grid", "", "con:1", "x" * 300])
def test_no_part_leaves_the_folder(tmp_path: Path, part: str) -> None:
    folder = tmp_path / "in" / "side"
    folder.mkdir(parents=True)
    file = RowFile(folder, part, (2,))
    file.append(HASHES[:1], ROWS.reshape(50, -1)[:1, :2])
    assert file.data.parent == folder and len(list(folder.iterdir())) == 2
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["side"]
    assert "grid" not in file.data.name.lower()


def test_long_stretches_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facekit.cache.rows._RUN", 60)  # two rows and a half
    file = RowFile(tmp_path, "grid", (3, 4))
    file.append(HASHES, ROWS)
    found = file.find(HASHES)
    mixed = Found(found.places[::-1].copy(), found.checks[::-1].copy())
    rows, good = file.read(mixed, HASHES[::-1])
    assert good.all() and np.array_equal(rows.reshape(50, 3, 4), ROWS[::-1])
    rows, good = file.read(found, HASHES)
    assert good.all() and np.array_equal(rows.reshape(50, 3, 4), ROWS)
