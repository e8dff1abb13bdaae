"""Cold start and rates of prediction."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import predict
from benchmarks.registry import BenchOptions
from facekit.errors import DataError, FacekitError


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    assert cv2.imwrite(str(path), np.full((90, 120, 3), 99, np.uint8))
    return path


def test_rates_and_cold_starts(tiny_bundle: Path, photo: Path) -> None:
    record = predict.measure_predict([photo] * 3, str(tiny_bundle), detector="none", starts=2)
    assert (record["photos"], record["faces"], record["errors"]) == (3, 3, 0)
    assert (record["model"], record["detector"]) == ("tiny", "none")
    assert len(record["cold_start_runs"]) == 2
    assert min(record["cold_start_runs"]) > 0.05  # no Python starts faster
    assert record["faces_per_second"] == record["photos_per_second"] > 0
    assert record["crops_per_second"] > 0
    assert "cold start" in predict.render(record)


def test_a_command_that_fails_is_no_measurement(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(FacekitError, match=r"facekit predict missing\.jpg failed"):
        predict.measure_predict([tmp_path / "missing.jpg"], str(tiny_bundle), starts=1)


def test_a_folder_without_photos_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no photo"):
        predict.run(BenchOptions(data=tmp_path, model=str(tiny_bundle)))


def test_scenes_are_drawn_where_there_is_no_data(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []

    def measure(photos: list[Path], model: str | None) -> dict[str, object]:
        seen.extend(photos)
        assert all(cv2.imread(str(path)) is not None for path in photos)
        return {"photos": len(photos)}

    monkeypatch.setattr(predict, "measure_predict", measure)
    assert predict.run(BenchOptions(model=str(tiny_bundle), limit=3)) == {"photos": 3}
    assert len(set(seen)) == 3
