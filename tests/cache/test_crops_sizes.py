"""Sizes come from the first bytes, and damaged files have none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from facekit.cache.crops import picture_sizes
from facekit.datasets.table import Table


def _table(images: object) -> Table:
    n = len(images)  # type: ignore[arg-type]
    return Table(
        "x", np.array([str(i) for i in range(n)]), images, np.zeros(n, np.int64), ("a",),
        np.array(["train"] * n),
    )  # fmt: skip


def test_files_of_any_kind(tmp_path: Path) -> None:
    image = np.zeros((30, 50, 3), np.uint8)
    paths = [tmp_path / name for name in ("a.png", "b.jpg", "cut.png", "text.jpg", "gone.png")]
    for path in paths[:3]:
        cv2.imwrite(str(path), image)
    paths[2].write_bytes(paths[2].read_bytes()[:10])
    paths[3].write_text("no picture")
    assert picture_sizes(_table(paths)).tolist() == [[50, 30], [50, 30], [0, 0], [0, 0], [0, 0]]


def test_a_header_behind_a_long_profile(tmp_path: Path) -> None:
    data = cv2.imencode(".jpg", np.zeros((30, 50, 3), np.uint8))[1].tobytes()
    profile = b"".join(b"\xff\xe2\xff\xfe" + bytes(65532) for _ in range(3))
    path = tmp_path / "long.jpg"
    path.write_bytes(data[:2] + profile + data[2:])
    assert picture_sizes(_table([path])).tolist() == [[50, 30]]


def test_streams_of_bytes() -> None:
    data = cv2.imencode(".png", np.zeros((48, 40, 3), np.uint8))[1].tobytes()

    class Stream:
        def __len__(self) -> int:
            return 2

        def stream(self, rows: np.ndarray) -> Iterator[bytes]:
            return (data for _ in rows)

    assert picture_sizes(_table(Stream())).tolist() == [[40, 48], [40, 48]]
