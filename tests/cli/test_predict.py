"""``facekit predict``: one record for every input, always."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.errors import ImageError

RECORD_KEYS = ["path", "error", "width", "height", "faces"]


def save(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (60, 80)) -> Path:
    """A picture of one colour (RGB); width and height are ``size`` backwards."""
    image = np.full((*size, 3), colour[::-1], np.uint8)
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    save(folder / "a red.png", (255, 0, 0))
    save(folder / "b blau ü.png", (0, 0, 255))
    (folder / "c broken.jpg").write_text("this is text")
    return folder


@pytest.fixture
def whole(tiny_bundle: Path) -> tuple[str, ...]:
    """Options that take the whole photo as one face, so that no detector decides."""
    return ("--model", str(tiny_bundle), "--detector", "none")


def test_json_is_one_record_an_input_in_order_and_nothing_else(run, photos: Path, whole) -> None:
    empty = photos.parent / "empty"
    empty.mkdir()
    inputs = [photos.parent / "gone.jpg", photos, empty, photos.parent / "*.tif"]
    answer = run("predict", *inputs, *whole, "--json")
    assert answer.code == 1
    records = answer.json
    names = ["gone.jpg", "a red.png", "b blau ü.png", "c broken.jpg", "empty", "*.tif"]
    assert [Path(record["path"]).name for record in records] == names
    assert all(list(record) == RECORD_KEYS for record in records)
    assert [record["error"] is None for record in records] == [False, True, True] + [False] * 3
    failed = [record for record in records if record["error"]]
    assert all(record["faces"] == [] and record["width"] is None for record in failed)
    assert "4 of 6 inputs" in answer.err


def test_a_face_has_a_box_a_score_and_forty_probabilities(run, photos: Path, whole) -> None:
    red, blue = (
        run("predict", photos / name, *whole, "--json").json[0]
        for name in ("a red.png", "b blau ü.png")
    )
    assert (red["width"], red["height"]) == (80, 60)
    face = red["faces"][0]
    assert list(face) == ["box", "detection_score", "attributes"]
    x, y, width, height = face["box"]
    assert 0 <= x < x + width <= 80 and 0 <= y < y + height <= 60
    assert len(face["attributes"]) == 40
    assert all(0 <= p <= 1 for p in face["attributes"].values())
    first = next(iter(face["attributes"]))
    assert face["attributes"][first] > 0.9 > 0.1 > blue["faces"][0]["attributes"][first]


def test_all_good_is_exit_code_0_and_a_table(run, photos: Path, whole) -> None:
    answer = run("predict", photos / "a red.png", *whole)
    assert (answer.code, answer.err) == (0, "")
    assert "photo" in answer.out and "red.png" in answer.out
    assert "points" not in answer.out


def test_the_table_shows_errors_too(run, photos: Path, whole) -> None:
    answer = run("predict", photos, *whole)
    assert answer.code == 1
    assert "error:" in answer.out


def test_jsonl_holds_the_records_that_json_prints(run, photos: Path, whole, tmp_path) -> None:
    path = tmp_path / "out.jsonl"
    answer = run("predict", photos, *whole, "--json", "--jsonl", path)
    assert [json.loads(line) for line in path.read_text().splitlines()] == answer.json
    quiet = run("predict", photos, *whole, "--jsonl", path)
    assert (quiet.code, quiet.out) == (1, "")


def test_annotate_writes_new_files_beside_the_inputs(run, photos: Path, whole) -> None:
    before = {path: path.read_bytes() for path in photos.iterdir()}
    for _ in range(2):
        run("predict", photos / "a red.png", photos / "c broken.jpg", *whole, "--annotate", photos)
    assert {path: path.read_bytes() for path in before} == before
    new = {path.name for path in photos.iterdir()} - {path.name for path in before}
    assert new == {"a red.faces.jpg", "a red.faces-2.jpg"}
    written = cv2.imread(str(photos / "a red.faces.jpg"))
    assert written.shape == (60, 80, 3)


@pytest.mark.parametrize("trouble", ["the photo is gone", "the disk is full"])
def test_a_picture_that_is_not_annotated_stops_nobody(
    run, photos: Path, whole, trouble: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from facekit.photos import image as decode
    from facekit.report import annotate

    def gone(path: Path) -> object:
        raise ImageError(f"{path.name}: cannot be read")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    place = (decode, "read_picture", gone)
    monkeypatch.setattr(*(place if "photo" in trouble else (annotate, "write_new", full)))
    good = photos / "a red.png", photos / "b blau ü.png"
    answer = run("predict", *good, *whole, "--json", "--annotate", tmp_path / "out")
    assert answer.code == 1
    assert [record["error"] for record in answer.json] == [None, None]
    warnings = answer.err.splitlines()
    assert len(warnings) == 3 and all("is not annotated" in line for line in warnings[:2])
    assert "2 of 2 inputs" in warnings[2]


def test_a_phone_picture_has_a_record_that_helps(
    run, photos: Path, whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as where it is not installed
    (photos / "c broken.jpg").rename(photos / "d.heic")
    (photos / "d.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(99))
    answer = run("predict", photos, *whole, "--json")
    assert answer.code == 1
    assert "facekit-transfer[heic]" in answer.json[-1]["error"]


@pytest.mark.parametrize(
    "options",
    [
        ("--model", "celeba-compac"),
        ("--detector", "hear"),
        ("--jsonl", "/proc/none/out.jsonl"),
        ("--annotate", "/proc/none"),
        ("--frobnicate",),
    ],
)
def test_options_that_cannot_be_used_give_code_2(run, photos: Path, whole, options) -> None:
    answer = run("predict", photos, *whole, *options)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err


def test_no_input_is_bad_usage(run) -> None:
    assert run("predict").code == 2
