"""Photos to faces with scores; detectors are replaced by known boxes here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit import faces, predict
from facekit.bundle.bundle import Bundle
from facekit.bundle.load import load_bundle
from facekit.bundle.write import BundleContents, write_bundle
from facekit.errors import BundleError, UsageError
from facekit.heads.kinds import LinearHead
from facekit.labels import ATTRIBUTES
from facekit.photos.detection import Detection
from facekit.photos.image import Picture, read_picture
from facekit.predict import BATCH, FaceModel, load

RED, BLUE = (200, 30, 30), (30, 30, 200)
Box = tuple[float, float, float, float]


@dataclass
class Boxes:
    """A detector that finds one face for every column of a known colour."""

    name: str = "yunet"
    key: str = "boxes"

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        return [
            Detection(box=(100.0 * i, 0.0, 100.0, 100.0), score=0.987654, points=None)
            for i in range(rgb.shape[1] // 100)
            if rgb.any()
        ]


@pytest.fixture
def model(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> FaceModel:
    monkeypatch.setattr(predict, "find_detector", lambda name: Boxes())
    return load(tiny_bundle)


def photo(*colours: tuple[int, int, int]) -> np.ndarray:
    """A strip with a square face of 100 px for every colour."""
    tiles = [np.full((100, 100, 3), colour, np.uint8) for colour in colours]
    return np.concatenate(tiles or [np.zeros((100, 60, 3), np.uint8)], axis=1)


def save(path: Path, rgb: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), rgb[:, :, ::-1])
    return path


def test_records_have_these_keys_in_this_order(model: FaceModel, tmp_path: Path) -> None:
    path = save(tmp_path / "two.png", photo(RED, BLUE))
    record = model.analyze(path).record()
    assert list(record) == ["path", "error", "width", "height", "faces"]
    assert (record["path"], record["error"]) == (str(path), None)
    assert (record["width"], record["height"]) == (200, 100)
    for face in record["faces"]:
        assert list(face) == ["box", "detection_score", "attributes"]
        assert tuple(face["attributes"]) == ATTRIBUTES
        assert all(0 <= p <= 1 for p in face["attributes"].values())
    assert [face["box"] for face in record["faces"]] == [[0, 0, 100, 100], [100, 0, 100, 100]]
    assert record["faces"][0]["detection_score"] == 0.9877
    assert json.loads(json.dumps(record)) == record


def test_colours_arrive_as_rgb_from_files_and_arrays(model: FaceModel, tmp_path: Path) -> None:
    image = photo(RED, BLUE)
    from_array = model.analyze(image)
    from_file = model.analyze(str(save(tmp_path / "two.png", image)))
    for analysis in (from_array, from_file):
        red, blue = (face.attributes[ATTRIBUTES[0]] for face in analysis.faces)
        assert red > 0.9
        assert blue < 0.1
    assert from_array.path is None
    assert from_array.record()["faces"] == from_file.record()["faces"]


def test_many_photos_give_what_each_gives_alone(model: FaceModel, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = []
    for i in range(2 * BATCH + 5):
        colours = rng.integers(0, 256, size=(i % 4, 3))
        images.append(photo(*[tuple(map(int, colour)) for colour in colours]))
    found = list(model.analyze_many(images))
    assert [len(one.faces) for one in found] == [i % 4 for i in range(len(images))]
    for image, one in zip(images, found, strict=True):
        alone = model.analyze(image)
        for face, expected in zip(one.faces, alone.faces, strict=True):
            assert face.box == expected.box
            assert face.attributes == pytest.approx(expected.attributes, abs=1e-5)
            np.testing.assert_array_equal(face.crop, expected.crop)


def test_one_bad_photo_never_stops_the_others(model: FaceModel, tmp_path: Path) -> None:
    good = save(tmp_path / "good.png", photo(RED))
    bad = tmp_path / "bad.jpg"
    bad.write_text("this is no picture")
    found = list(model.analyze_many([bad, good, tmp_path / "missing.jpg", str(good), tmp_path]))
    assert [one.error is None for one in found] == [False, True, False, True, False]
    assert [len(one.faces) for one in found] == [0, 1, 0, 1, 0]
    for one in (found[0], found[2], found[4]):
        record = one.record()
        assert (record["width"], record["height"], record["faces"]) == (None, None, [])
        assert "\n" not in record["error"]
    assert "missing.jpg" in str(found[2].error)


@pytest.mark.parametrize("error", [ValueError("two\nlines"), MemoryError(), cv2.error("bad")])
def test_whatever_a_photo_raises_becomes_its_error(
    model: FaceModel, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def detect(self: Boxes, rgb: np.ndarray) -> list[Detection]:
        if rgb[0, 0, 0] == BLUE[0]:
            raise error
        return []

    monkeypatch.setattr(Boxes, "detect", detect)
    good, bad = model.analyze_many([photo(RED), photo(BLUE)])
    assert good.error is None
    assert str(bad.error).startswith("could not be used: ")
    assert "\n" not in str(bad.error)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((-20.0, -10.4, 60.0, 60.0), [0, 0, 40, 50]),
        ((80.6, 90.0, 60.0, 60.0), [81, 90, 19, 10]),
        ((-500.0, 300.0, 10.0, 10.0), [0, 99, 1, 1]),
    ],
)
def test_boxes_lie_inside_the_photo(
    model: FaceModel, box: Box, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Boxes, "detect", lambda *_: [Detection(box=box, score=1.0, points=None)])
    assert model.analyze(photo(RED)).record()["faces"][0]["box"] == expected


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((10, 10, 3)),
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((0, 10, 3), np.uint8),
        b"bytes",
        None,
    ],
)
def test_other_arrays_are_refused_in_one_line(model: FaceModel, bad: object) -> None:
    with pytest.raises(UsageError, match="uint8 RGB") as caught:
        model.analyze(bad)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_views_that_are_not_contiguous_are_accepted(model: FaceModel) -> None:
    image = photo(BLUE, RED)
    flipped = model.analyze(image[:, ::-1])
    assert flipped.faces[0].attributes[ATTRIBUTES[0]] > 0.9


def test_inputs_are_read_as_they_are_needed(model: FaceModel) -> None:
    taken: list[int] = []

    def endless() -> Iterator[np.ndarray]:
        for i in range(100_000):
            taken.append(i)
            yield photo(RED)

    found = model.analyze_many(endless())
    assert next(found).faces
    assert len(taken) <= BATCH + 4 * model._threads
    found.close()  # type: ignore[attr-defined]
    assert len(taken) < 200


def test_every_head_but_points_becomes_a_key(
    tiny_contents: BundleContents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "find_detector", lambda name: Boxes())
    emotions = LinearHead(
        parts=("identity",),
        labels=("happy", "sad"),
        weight=np.ones((8, 2)),
        bias=np.array([1.0, 0.0]),
        activation="softmax",
    )
    heads = {"emotions": emotions, **tiny_contents.heads}
    folder = write_bundle(tmp_path / "more", replace(tiny_contents, heads=heads)).folder
    face = load(folder).analyze(photo(RED)).record()["faces"][0]
    assert list(face) == ["box", "detection_score", "emotions", "attributes"]
    assert sum(face["emotions"].values()) == pytest.approx(1, abs=1e-5)


def shifted(contents: BundleContents, pixels: float) -> LinearHead:
    """A points head that sees every face too far to the right by some pixels."""
    head = contents.heads["points"]
    assert isinstance(head, LinearHead)
    shift = np.tile([pixels / contents.frame.side, 0], 5)
    return replace(head, bias=head.bias + shift)


@dataclass
class Square:
    """A detector that finds the white square, in whatever size it is shown."""

    name: str = "none"
    key: str = "square"

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        rows, columns = (np.flatnonzero((rgb > 160).any((axis, 2))) for axis in (1, 0))
        side = float(len(columns))
        return [Detection((float(columns[0]), float(rows[0]), side, side), 1.0)]


@pytest.mark.parametrize(
    ("side", "enough", "most", "shapes"),
    [
        (200, 4, 1, [(240, 320)]),
        (60, 4, 1, [(240, 320), (480, 640)]),
        (60, 16, 4, [(120, 160), (240, 320)]),  # too large to be read as a whole
    ],
)
def test_a_large_jpeg_is_decoded_whole_only_where_a_face_would_be_enlarged(
    model: FaceModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    side: int,
    enough: int,
    most: int,
    shapes: list,
) -> None:
    rgb = np.full((480, 640, 3), (40, 60, 80), np.uint8)
    rgb[100 : 100 + side, 300 : 300 + side] = (250, 220, 190)
    path, decoded = save(tmp_path / "large.jpg", rgb), []

    def remembered(*args: object, **named: int) -> Picture:
        decoded.append(read_picture(*args, max_pixels=640 * 480 // most, **named))
        return decoded[-1]

    monkeypatch.setattr(faces, "read_picture", remembered)
    monkeypatch.setattr(faces, "_ENOUGH", 640 * 480 // enough)
    reduced = replace_detector(model, Square()).analyze(path)
    assert [one.rgb.shape[:2] for one in decoded] == shapes
    assert (reduced.width, reduced.height) == (640, 480)
    (found,), (same,) = reduced.faces, replace_detector(model, Square()).analyze(rgb).faces
    assert np.abs(np.subtract(found.box, (300, 100, side, side))).max() <= 2
    assert np.abs(found.crop.astype(int) - same.crop).mean() < 8
    assert list(found.attributes.values()) == pytest.approx(list(same.attributes.values()), abs=0.1)


def replace_detector(model: FaceModel, detector: Square) -> FaceModel:
    return FaceModel(model.bundle, detector, threads=1)


@pytest.mark.parametrize("one_by_one", [True, False])
def test_the_caller_keeps_its_numbers_of_threads(model: FaceModel, one_by_one: bool) -> None:
    seen: list[int] = []

    @dataclass
    class Seeing(Square):
        def detect(self, rgb: np.ndarray) -> list[Detection]:
            seen.append(cv2.getNumThreads())
            return []

    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        blind = replace_detector(model, Seeing())
        photos = [photo(RED), photo(BLUE)]
        _ = [blind.analyze(one) for one in photos] if one_by_one else [*blind.analyze_many(photos)]
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)
    assert set(seen) == {1}


def test_the_points_head_refines_boxes(
    tiny_contents: BundleContents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "find_detector", lambda name: Boxes())
    ramp = np.repeat(np.arange(100, dtype=np.uint8)[None, :, None], 100, axis=0).repeat(3, axis=2)
    crops = {}
    for pixels in (0.0, 4.0):
        heads = {**tiny_contents.heads, "points": shifted(tiny_contents, pixels)}
        folder = tmp_path / str(int(pixels))
        write_bundle(folder, replace(tiny_contents, heads=heads))
        crops[pixels] = load(folder).analyze(ramp).faces[0].crop
    bare = {"attributes": tiny_contents.heads["attributes"]}
    write_bundle(tmp_path / "bare", replace(tiny_contents, heads=bare))
    crops[-1] = load(tmp_path / "bare").analyze(ramp).faces[0].crop
    row = {pixels: crop[20].astype(int)[:, 0] for pixels, crop in crops.items()}
    np.testing.assert_allclose(row[0.0], row[-1], atol=2)
    np.testing.assert_allclose(row[4.0][:30], row[0.0][4:34], atol=2)


def test_faces_carry_crop_and_embedding(model: FaceModel) -> None:
    face = model.analyze(photo(RED)).faces[0]
    assert face.crop.shape == (40, 40, 3)
    embedding = model.bundle.embed(face.crop[None])
    assert set(face.embedding) == {"pooled", "grid", "grid_mid", "identity"}
    for part, value in face.embedding.items():
        np.testing.assert_allclose(value, embedding[part][0], atol=1e-5)


def test_threads_may_share_a_model(model: FaceModel) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(model.analyze, [photo(RED), photo(BLUE)] * 10))
    red = [one.faces[0].attributes[ATTRIBUTES[0]] > 0.5 for one in found]
    assert red == [True, False] * 10


def test_unknown_models_and_detectors_are_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is no model"):
        load(tmp_path)
    with pytest.raises(UsageError, match="detector"):
        load(tiny_bundle, detector="eyes")


def test_the_light_path_stays_light(tiny_bundle: Path, tmp_path: Path) -> None:
    path = save(tmp_path / "one.png", photo(RED))
    code = (
        "import sys\n"
        "def watch(event, args):\n"
        "    if event.startswith('socket.'): raise SystemExit('a socket: ' + event)\n"
        "sys.addaudithook(watch)\n"
        "import facekit\n"
        f"model = facekit.load({str(tiny_bundle)!r}, detector='none')\n"
        f"found = list(model.analyze_many([{str(path)!r}] * 3))\n"
        "assert all(one.faces and one.error is None for one in found), found\n"
        "heavy = {'tensorflow', 'keras', 'jax', 'torch', 'sklearn', 'scipy', 'albumentations',\n"
        "         'matplotlib', 'onnx', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_bundle_without_attributes_works(
    tiny_contents: BundleContents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "find_detector", lambda name: Boxes())
    bundle: Bundle = write_bundle(tmp_path / "bare", replace(tiny_contents, heads={}))
    face = FaceModel(bundle, Boxes()).analyze(photo(RED)).faces[0]
    assert face.attributes == {}
    assert list(face.record()) == ["box", "detection_score"]
    assert load_bundle(bundle.folder).heads == {}


@pytest.mark.parametrize("threads", [-1, 1.5, "two", 10**9])
def test_threads_that_cannot_be_are_one_line(threads: object) -> None:
    with pytest.raises(UsageError, match="threads="):
        load(threads=threads, identities="none")  # type: ignore[arg-type]


def test_what_is_no_row_of_images_is_one_line() -> None:
    model = load(identities="none")
    for images in (None, 3):
        with pytest.raises(UsageError, match="takes several images"):
            model.analyze_many(images)  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only POSIX forks")
def test_images_begun_before_a_fork_are_refused_after_it() -> None:
    code = """
import os, sys, warnings, numpy as np, facekit
warnings.simplefilter("ignore")
black = np.zeros((80, 80, 3), np.uint8)
found = facekit.load(detector="none", identities="none").analyze_many([black] * 99)
next(found)
child = os.fork()
if not child:
    try:
        list(found)
    except facekit.FacekitError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "begun in another process" in done.stdout, done.stderr
