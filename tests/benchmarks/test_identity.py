"""``python -m benchmarks identity`` on painted people; the fit itself is the real one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks import enroller, identity, identity_draws
from benchmarks.identity import measure_identity
from benchmarks.identity_record import render
from benchmarks.registry import BENCHMARKS, BenchOptions
from facekit.errors import BundleError, DataError, MissingExtraError, UsageError

pytestmark = pytest.mark.slow

painted = pytest.mark.usefixtures("whole_pictures")

METRICS = {
    "auc",
    "eer",
    "fnmr_at_fmr_1pct",
    "fnmr_at_fmr_0_1pct",
    "claimed_fmr",
    "measured_fmr",
    "fnmr_at_own_threshold",
}


@painted
def test_people_are_enrolled_and_tested(painted_lfw: Path, painted_bundle: Path) -> None:
    options = BenchOptions(data=painted_lfw, model=str(painted_bundle))
    record = BENCHMARKS["identity"].run(options)
    json.dumps(record, allow_nan=False)
    assert set(record["metrics"]) >= METRICS and set(record["intervals"]) == set(record["metrics"])
    assert record["metrics"]["auc"] > 0.99 and record["metrics"]["claimed_fmr"] == 0.01
    for name, (low, high) in record["intervals"].items():
        assert 0 <= low <= record["metrics"][name] <= high <= 1
    assert list(record["per_person"]) == ["p0", "p1", "p2"]
    person = record["per_person"]["p1"]
    assert (person["photos"], person["tested"]) == (14, 4)
    low, high = person["claimed_interval"]
    assert low < 0.01 < high and person["inside"] == (low <= person["measured_fmr"] <= high)
    assert record["left_out"] == {"p3": "has 4 photos, 11 are needed"}
    kept = ("dataset", "n", "people", "strangers", "enrolled", "draws", "unreadable")
    assert [record[key] for key in kept] == ["lfw", 3 * 14 + 60, 3, 60, 10, 6, 0]
    scorers = record["scorers"]
    assert list(scorers) == ["facekit enroll", "mean of the vectors", "attributes alone"]
    assert scorers["facekit enroll"]["metrics"] == record["metrics"]
    assert "measured_fmr" not in scorers["mean of the vectors"]["metrics"]
    assert scorers["attributes alone"]["metrics"]["auc"] < record["metrics"]["auc"]
    assert scorers["facekit enroll"]["faces_per_second"] > 0
    files = [p for p in painted_bundle.iterdir() if p.suffix in (".onnx", ".npz")]
    size = round(sum(p.stat().st_size for p in files) / 1e6, 1)
    assert scorers["facekit enroll"]["megabytes"] == size


@painted
def test_what_is_said(painted_lfw: Path, painted_bundle: Path) -> None:
    record = measure_identity(BenchOptions(data=painted_lfw.parent, model=str(painted_bundle)))
    text = render(record)
    assert text.startswith("lfw, tiny, detector none: 3 people, 10 photos enrolled, 6 draws, 60")
    for name in record["scorers"]:
        assert f"\n{name}" in text
    low, high = record["intervals"]["claimed_fmr"]
    inside = low <= record["metrics"]["measured_fmr"] <= high
    assert (", inside the interval" if inside else ", OUTSIDE the interval") in text
    assert "of 18 enrolments agree with their claim, as far as 60 strangers" in text
    assert "left out: p3 has 4 photos" in text


@painted
def test_the_same_seed_draws_the_same_photos(
    painted_lfw: Path, painted_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_draws, "DRAWS", 2)

    def metrics(seed: int) -> object:
        options = BenchOptions(data=painted_lfw, model=str(painted_bundle), seed=seed, limit=40)
        record = measure_identity(options)
        assert record["strangers"] == 40
        return record["per_person"], record["intervals"]

    assert metrics(3) == metrics(3) != metrics(4)


@painted
def test_strangers_who_look_like_the_person_break_the_claim(
    painted_lfw: Path, painted_bundle: Path, tmp_path: Path
) -> None:
    """The claim is tested, not repeated."""
    folder = Path(shutil.copytree(painted_lfw, tmp_path / "lfw"))
    for i in range(60):
        shutil.copy(
            folder / "persons" / "p0" / f"{i % 14:02}.png", folder / f"strangers/{i:02}.png"
        )
    for name in ("p1", "p2", "p3"):
        shutil.rmtree(folder / "persons" / name)
    record = measure_identity(BenchOptions(data=folder, model=str(painted_bundle)))
    assert record["metrics"]["measured_fmr"] > 0.5
    assert record["per_person"]["p0"]["inside"] is False
    assert "OUTSIDE the interval" in record["words"][0]
    assert "0 of 6 enrolments agree" in record["words"][1]


@painted
def test_bad_pictures_and_bad_people_are_counted(
    painted_lfw: Path, painted_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(painted_lfw, tmp_path / "lfw"))
    (folder / "persons" / "p0" / "03.png").write_text("broken")
    (folder / "strangers" / "07.png").write_bytes(b"\xff\xd8\xff")
    gather = enroller.gather_photos

    def some(paths: Sequence[Path], *rest: Any) -> list[Any]:
        photos = gather(paths, *rest)
        if paths[0].parent.name == "p2":
            return [replace(one, used=False, code="blurred") for one in photos]
        return [replace(photos[0], used=False, code="dark"), *photos[1:]]

    monkeypatch.setattr(enroller, "gather_photos", some)
    record = measure_identity(BenchOptions(data=folder, model=str(painted_bundle)))
    assert record["unreadable"] == 2 and record["n"] == 3 * 14 + 60 - 2
    assert list(record["per_person"]) == ["p0", "p1"]
    assert record["left_out"]["p2"] == "none of 10 photos could be used"
    assert record["refused_photos"] == {"dark": 12}  # one of each of two people in six draws
    text = render(record)
    assert "2 files could not be decoded" in text and "12 dark" in text
    for name in ("p0", "p1"):
        shutil.rmtree(folder / "persons" / name)
    with pytest.raises(DataError, match="none of 1 people could be enrolled: none of 10 photos"):
        measure_identity(BenchOptions(data=folder, model=str(painted_bundle)))


class FakePeer:
    """Tells people apart by their colours, and finds no face in a very light photo."""

    name = "dlib"
    seconds = 2.0

    def __init__(self) -> None:
        self.rows: list[np.ndarray] = []

    def read(self, pictures: Sequence[np.ndarray]) -> None:
        for rgb in pictures:
            row = cv2.resize(rgb, (4, 4), interpolation=cv2.INTER_AREA).ravel() / 255.0
            blank = rgb[0, 0].min() >= 250
            self.rows.append(np.full(48, np.nan) if blank else row)

    @property
    def vectors(self) -> np.ndarray:
        return np.stack(self.rows)

    @property
    def blank(self) -> np.ndarray:
        return np.isnan(self.vectors).any(1)

    def megabytes(self) -> dict[str, float]:
        return {"megabytes": 31.6, "megabytes_installed": 132.0}


@painted
def test_a_peer_sees_the_same_photos_and_its_failures_count(
    painted_lfw: Path, painted_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(painted_lfw, tmp_path / "lfw"))
    for path in [*sorted((folder / "persons" / "p0").iterdir())[:7], folder / "strangers/00.png"]:
        rgb = cv2.imread(str(path))
        rgb[:10, :10] = 255
        assert cv2.imwrite(str(path), rgb)
    monkeypatch.setattr(identity, "DlibReader", FakePeer)
    monkeypatch.setattr(identity_draws, "TOLERANCE", 1e-3)  # closer than any two pictures
    options = BenchOptions(data=folder, model=str(painted_bundle), peer=Path("dlib"))
    record = measure_identity(options)
    assert record["peers"] == ["dlib"]
    peer = record["scorers"]["dlib"]
    assert peer["no_face"] == {"persons": 7, "strangers": 1}
    assert peer["faces_per_second"] == (3 * 14 + 60 - 8) / 2
    assert (peer["megabytes"], peer["megabytes_installed"]) == (31.6, 132.0)
    assert peer["found_only"]["auc"] == 1.0 > peer["metrics"]["auc"]
    assert peer["metrics"]["fnmr_at_own_threshold"] == 1.0 and peer["metrics"]["measured_fmr"] == 0
    assert "claimed_fmr" not in peer["metrics"]
    assert record["scorers"]["facekit enroll"]["found_only"] is None
    text = render(record)
    assert "dlib: no face found in 7 photos of the people and 1 of the strangers" in text
    assert "without them AUC 1.0000" in text and "dlib at its own tolerance" in text


@painted
def test_what_cannot_be_measured_is_refused(
    painted_lfw: Path, painted_bundle: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = str(painted_bundle)
    with pytest.raises(UsageError, match="needs --data"):
        measure_identity(BenchOptions(model=model))
    with pytest.raises(UsageError, match=r"no peer 'other.hdf5'.*--peer dlib"):
        measure_identity(BenchOptions(data=painted_lfw, model=model, peer=Path("other.hdf5")))
    with pytest.raises(BundleError, match="no strangers"):
        measure_identity(BenchOptions(data=painted_lfw, model=str(tiny_bundle)))
    with pytest.raises(DataError, match="nobody with 11 photos"):
        measure_identity(BenchOptions(data=painted_lfw.parent.parent, model=model))

    def missing() -> Path:
        raise MissingExtraError("dlib", "peers", "or leave out --peer dlib")

    monkeypatch.setattr("benchmarks.peer_dlib.model_files", missing)
    with pytest.raises(MissingExtraError, match=r"peers.*leave out --peer dlib"):
        measure_identity(BenchOptions(data=painted_lfw, model=model, peer=Path("dlib")))


@pytest.mark.slow
@pytest.mark.real
def test_real_people_are_told_from_real_strangers(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_draws, "DRAWS", 1)
    lfw = real_data / "lfw"
    (tmp_path / "persons").mkdir()
    for home in sorted((lfw / "persons").iterdir())[:3]:
        (tmp_path / "persons" / home.name).symlink_to(home)
    (tmp_path / "strangers").symlink_to(lfw / "strangers")
    record = measure_identity(BenchOptions(data=tmp_path, limit=150))
    assert record["metrics"]["auc"] >= 0.995
    assert record["metrics"]["fnmr_at_fmr_1pct"] <= 0.1
    assert record["scorers"]["facekit enroll"]["claims"]["agree"] == 3
