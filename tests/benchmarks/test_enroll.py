"""``python -m benchmarks enroll``: whole processes, and the old way in numbers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import enroll
from benchmarks.enroll import measure_enrollment, render, run
from benchmarks.old_way import compare_ways, repeat_copies, scale_ways
from benchmarks.registry import BENCHMARKS, BenchOptions
from facekit.enrollment.vectors import PhotoVectors
from facekit.errors import DataError, FacekitError

#: In place of the command: remembers how it was called, and counts what it was given.
COMMAND = """
import json, os, pathlib, sys
photos = [word for word in sys.argv[1:] if word.endswith(".png")]
home = pathlib.Path(os.environ["FACEKIT_HOME"])
seen = home / "calls.json"
calls = json.loads(seen.read_text()) if seen.exists() else []
assert sys.argv[1] == "enroll" and "--yes" in sys.argv and "--json" in sys.argv
seen.write_text(json.dumps([*calls, sys.argv[2:]]))
before = len([w for c in calls for w in c if w.endswith(".png")]) - 8 if "--add" in sys.argv else 0
print(json.dumps({"photos_used": len(photos) + before}))
"""


@pytest.fixture
def photos(painted_lfw: Path) -> list[Path]:
    return sorted((painted_lfw / "persons" / "p0").iterdir())[:8]


def test_whole_processes_are_timed_in_a_home_of_their_own(
    photos: list[Path], tiny_bundle: Path, tmp_path: Path, facekit_home: Path, monkeypatch
) -> None:
    monkeypatch.setattr(enroll, "_COMMAND", COMMAND)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    shutil.copytree(tiny_bundle, facekit_home / "models" / "mine")
    record = measure_enrollment(photos, "mine", scratch, rounds=2)
    assert (record["photos"], record["photos_used"], record["photos_used_after_add"]) == (8, 8, 8)
    assert len(record["enroll_runs"]) == len(record["add_runs"]) == 2
    assert min(record["enroll_runs"] + record["add_runs"]) > 0
    calls = json.loads((scratch / "home1" / "calls.json").read_text())
    names = [[Path(word).name for word in call if word.endswith(".png")] for call in calls]
    everyone = [photo.name for photo in photos]
    assert names == [everyone, everyone[:-1], everyone[-1:]]
    assert ["--add" in call for call in calls] == [False, False, True]
    assert str((facekit_home / "models" / "mine").resolve()) in calls[0]
    assert (scratch / "home1" / "models" / "mine").is_dir()
    assert [p.name for p in facekit_home.iterdir()] == ["models"]  # the user's own is untouched


def test_a_command_that_fails_is_no_measurement(
    photos: list[Path], tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(enroll, "_COMMAND", "raise SystemExit('no face anywhere')")
    with pytest.raises(FacekitError, match="facekit enroll failed: no face anywhere"):
        measure_enrollment(photos, None, tmp_path, rounds=1)


def test_a_folder_with_too_few_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"0 photos, 6 or more are needed.*one person"):
        run(BenchOptions(data=tmp_path))


def test_scenes_are_drawn_where_there_is_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []

    def measure(photos: Sequence[Path], model: str | None, scratch: Path) -> dict[str, object]:
        seen.extend(photos)
        assert all(cv2.imread(str(path)) is not None for path in photos)
        return {"photos": len(photos)}

    monkeypatch.setattr(enroll, "measure_enrollment", measure)
    monkeypatch.setattr(enroll, "compare_ways", lambda photos, model: {"photos": len(photos)})
    assert run(BenchOptions(limit=7)) == {"photos": 7, "ways": {"photos": 7}}
    assert len({path.name for path in seen}) == 7


def test_the_old_way_is_scaled() -> None:
    ways = scale_ways(photos=21, rate=1000.0, copy_seconds=0.01, fit_seconds={0: 0.5, 200: 2.0})
    assert ways["old_images"] == 5000 + 21 * 200 and ways["old_epoch_seconds"] == 9.2
    few, many = ways["new"]
    assert few["embed_seconds"] == pytest.approx(0.042)
    assert few["ratio_epoch"] == pytest.approx(9.2 / 0.542, abs=0.01)
    assert few["ratio_20_epochs"] == pytest.approx(20 * 9.2 / 0.542, abs=0.1)
    assert many["embed_seconds"] == pytest.approx(42.042)
    assert many["ratio_20_epochs"] == pytest.approx(20 * 9.2 / 44.042, abs=0.1)


def test_copies_are_repeated_photo_by_photo() -> None:
    own = PhotoVectors(
        vectors=np.arange(8, dtype=np.float32).reshape(8, 1),
        photo=np.array([0, 1, 0, 0, 0, 1, 1, 1]),
        plain=np.arange(8) < 2,
        session=np.array([4, 5]),
        attributes=np.zeros((2, 40), np.float32),
    )
    more = repeat_copies(own, 5)
    assert np.bincount(more.photo[~more.plain]).tolist() == [5, 5]
    assert more.vectors[~more.plain, 0].tolist() == [2, 3, 4, 2, 3, 5, 6, 7, 5, 6]
    assert more.vectors[more.plain, 0].tolist() == [0, 1]
    assert len(repeat_copies(own, 1).photo) == 4


@pytest.mark.usefixtures("whole_pictures")
def test_both_ways_run_the_same_network(photos: list[Path], painted_bundle: Path) -> None:
    ways = compare_ways(photos, str(painted_bundle))
    assert ways["photos"] == 8 and ways["old_images"] == 5000 + 8 * 200
    assert [way["copies"] for way in ways["new"]] == [4, 200]
    assert all(way["fit_seconds"] > 0 and way["embed_seconds"] > 0 for way in ways["new"])
    assert ways["images_per_second"] > 0
    assert "not counted" in ways["note"]


def test_what_is_said() -> None:
    ways = scale_ways(photos=21, rate=500.0, copy_seconds=0.004, fit_seconds={8: 0.5, 200: 1.0})
    record = {
        "photos": 21, "photos_used": 20, "cores": 2, "rounds": 3,
        "enroll_seconds": 5.0, "enroll_runs": [4.0, 5.0, 6.0],
        "add_seconds": 2.0, "add_runs": [1.5, 2.0, 2.5], "ways": ways,
    }  # fmt: skip
    text = render(record)
    assert "21 photos, 20 used, 2 core(s), median of 3" in text
    assert "5.0 s  (4.0 to 6.0)" in text and "2.0 s  (1.5 to 2.5)" in text
    assert "9,200 images through the network" in text
    few, many = ways["new"]
    assert f"takes {few['ratio_epoch']:.1f} times as long, 20 epochs" in text
    assert f"20 epochs {many['ratio_20_epochs']:.0f} times" in text
    assert "as long as 73.6 whole enrolments" in text and text.endswith(ways["note"])
    assert BENCHMARKS["enroll"].render(record) == text


@pytest.mark.slow
def test_drawn_people_are_enrolled_for_real(tmp_path: Path) -> None:
    photos = enroll._draw(tmp_path / "photos", 7, 0)
    record = measure_enrollment(photos, None, tmp_path, rounds=1)
    assert record["photos"] == 7 and record["photos_used"] >= 5
    assert record["photos_used_after_add"] >= 5
    assert 0 < record["add_seconds"] < 60 and 0 < record["enroll_seconds"] < 120
