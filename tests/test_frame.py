"""The frame's arithmetic, and the measured eyes of every source in it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.frame import ALIGNED_EYES, BOX_EYES, FaceFrame

FRAME = FaceFrame(side=80, eye_y=0.45, eye_distance=0.33)


def similarity(scale: float, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    angle = np.deg2rad(degrees)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])


def carry(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def test_eyes_lie_where_the_frame_says() -> None:
    right, left, nose, mouth_right, mouth_left = FRAME.points()
    assert right == pytest.approx((40 - 0.165 * 80, 36))
    assert left == pytest.approx((40 + 0.165 * 80, 36))
    assert nose[0] == pytest.approx(40)
    assert nose[1] > 36
    assert mouth_right[1] == mouth_left[1] > nose[1]
    assert mouth_right[0] < 40 < mouth_left[0]


@pytest.mark.parametrize("degrees", [-40.0, 0.0, 25.0, 170.0])
@pytest.mark.parametrize("scale", [0.1, 1.0, 7.0])
def test_any_similarity_is_undone(scale: float, degrees: float) -> None:
    moved = carry(similarity(scale, degrees, (12.5, -300.0)), FRAME.points())
    assert carry(FRAME.matrix_from_points(moved), moved) == pytest.approx(FRAME.points())
    assert carry(FRAME.matrix_from_eyes(*moved[:2]), moved) == pytest.approx(FRAME.points())


def test_five_points_are_fitted_by_least_squares() -> None:
    rng = np.random.default_rng(0)
    points = carry(similarity(2.0, 10.0, (50, 60)), FRAME.points()) + rng.normal(0, 3, (5, 2))
    best = FRAME.matrix_from_points(points)
    assert best[0, 0] == pytest.approx(best[1, 1])  # a similarity: no shear, no mirror
    assert best[0, 1] == pytest.approx(-best[1, 0])

    def error(matrix: np.ndarray) -> float:
        return float(((carry(matrix, points) - FRAME.points()) ** 2).sum())

    for step in np.eye(4) * 1e-3:
        other = best + np.array([[step[0], -step[1], step[2]], [step[1], step[0], step[3]]])
        assert error(other) > error(best)


def test_points_on_one_spot_are_refused() -> None:
    with pytest.raises(ValueError, match="one spot"):
        FRAME.matrix_from_points(np.full((5, 2), 7.0))
    with pytest.raises(ValueError, match="one spot"):
        FRAME.matrix_from_eyes(np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match="one spot"):
        FRAME.matrix_from_points(np.full((5, 2), np.nan))


@pytest.mark.parametrize("detector", BOX_EYES)
def test_a_box_lands_its_eyes_in_place(detector: str) -> None:
    line, distance = BOX_EYES[detector]
    x, y, width, height = 100.0, 50.0, 60.0, 75.0
    eyes = np.array(
        [
            (x + width * (0.5 - distance / 2), y + line * height),
            (x + width * (0.5 + distance / 2), y + line * height),
        ]
    )
    matrix = FRAME.matrix_from_box((x, y, width, height), detector)
    assert carry(matrix, eyes) == pytest.approx(FRAME.points()[:2])
    assert matrix[1, 0] == 0  # upright


@pytest.mark.parametrize(("source", "size"), [("celeba", (178, 218)), ("fer", (48, 48))])
def test_aligned_sources_land_their_eyes_in_place_at_any_size(
    source: str, size: tuple[int, int]
) -> None:
    for factor in (1, 2):
        width, height = size[0] * factor, size[1] * factor
        matrix = FRAME.matrix_from_aligned(source, width, height)
        eyes = np.array(ALIGNED_EYES[source]) * (width, height)
        assert carry(matrix, eyes) == pytest.approx(FRAME.points()[:2])


def test_the_key_changes_with_every_part() -> None:
    keys = {
        FaceFrame().key,
        FaceFrame(side=64).key,
        FaceFrame(eye_y=0.44).key,
        FaceFrame(eye_distance=0.34).key,
    }
    assert len(keys) == 4
    assert FaceFrame().key == FaceFrame().key


def spot(image: np.ndarray) -> np.ndarray:
    """Centre of brightness in pixels; the centre of the first pixel is at 0.5."""
    weight = image[..., 0].astype(float)
    weight[weight < 25] = 0
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]] + 0.5
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("scale", [0.07, 0.3, 0.7, 1.0, 2.5])
def test_warp_puts_a_spot_where_the_matrix_says(scale: float) -> None:
    side = round(70 / scale)
    image = np.zeros((side, side + 9, 3), np.uint8)
    place = np.array([side * 0.4, side * 0.6])
    cv2.circle(image, tuple(np.round(place - 0.5).astype(int)), max(2, side // 12), (255,) * 3, -1)
    matrix = similarity(scale, 8.0, (6.0, 9.0))
    crop = FRAME.warp(image, matrix)
    assert crop.shape == (80, 80, 3)
    assert crop.dtype == np.uint8
    assert spot(crop) == pytest.approx(carry(matrix, spot(image)), abs=0.2)


def test_the_identity_changes_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    assert np.array_equal(FRAME.warp(image, similarity(1, 0, (0, 0))), image)


def test_shrinking_averages_instead_of_skipping_pixels() -> None:
    image = np.zeros((1600, 1600, 3), np.uint8)
    image[::2] = 255  # stripes that sampling would turn into black or white
    crop = FRAME.warp(image, similarity(0.05, 3.0, (0, 0)))
    assert np.abs(crop.astype(int) - 127).max() <= 12


def test_edges_are_continued() -> None:
    image = np.full((10, 10, 3), 200, np.uint8)
    assert (FRAME.warp(image, similarity(1, 0, (30, 30))) == 200).all()


def whole_warp(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The crop out of the whole picture, shrunk as a whole where the face is big."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.5:
        size = np.array(image.shape[1::-1])
        small = np.maximum(1, np.rint(size * scale * 1.5)).astype(int)
        image = cv2.resize(image, small.tolist(), interpolation=cv2.INTER_AREA)
        matrix = np.column_stack([matrix[:, :2] * (size / small), matrix[:, 2]])
    half = matrix.copy()
    half[:, 2] += 0.5 * (matrix[:, 0] + matrix[:, 1]) - 0.5
    flags = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    return cv2.warpAffine(image, half, (80, 80), **flags)


def test_cutting_to_the_face_changes_nothing() -> None:
    """Faces of every size and angle, a third of them partly or wholly outside."""
    rng = np.random.default_rng(0)
    blots = rng.integers(0, 256, (45, 60, 3), np.uint8)
    image = cv2.resize(blots, (1200, 900), interpolation=cv2.INTER_CUBIC)
    outside = 0
    for _ in range(150):
        scale = float(np.exp(rng.uniform(np.log(0.04), np.log(4))))
        matrix = similarity(scale, rng.uniform(-180, 180), (0, 0))
        middle = rng.uniform(-0.2, 1.2, 2) * (1200, 900)
        outside += bool(((middle < 0) | (middle > (1200, 900))).any())
        matrix[:, 2] = 40 - matrix[:, :2] @ middle
        before = matrix.copy()
        off = np.abs(FRAME.warp(image, matrix).astype(int) - whole_warp(image, matrix))
        assert np.array_equal(matrix, before)
        if scale >= 0.5:
            assert off.max() <= 1
        else:  # averages may begin half a pixel off
            assert off.mean() < 1 and off.max() <= 12
    assert outside > 30


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_a_picture_wider_than_opencv_can_warp(scale: float) -> None:
    image = np.zeros((300, 40_000, 3), np.uint8)
    cv2.circle(image, (39_000, 150), 20, (255, 255, 255), -1)
    matrix = similarity(scale, 5.0, (0, 0))
    matrix[:, 2] = 40 - matrix[:, :2] @ (39_000.5, 150.5)
    assert spot(FRAME.warp(image, matrix)) == pytest.approx((40, 40), abs=0.2)


def test_a_small_face_in_a_huge_picture_costs_no_more_than_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    resize = cv2.resize

    def watched(image: np.ndarray, *args: object, **options: object) -> np.ndarray:
        seen.append(image.size)
        return resize(image, *args, **options)

    monkeypatch.setattr(cv2, "resize", watched)
    FRAME.warp(np.zeros((4000, 6000, 3), np.uint8), similarity(0.4, 20.0, (-800, -700)))
    assert len(seen) == 1 and seen[0] < 400 * 400 * 3


@pytest.mark.real
def test_all_sources_share_the_frame(real_data: Path, facekit_home: Path, tmp_path: Path) -> None:
    """Measured with 300 pictures each: see the card of the frame in the README.

    CelebA (.333, .665, .449), FER (.321, .670, .453), CK+ (.336, .666, .450), LFW
    (.337, .662, .450), photos (.336, .662, .450): right eye x, left eye x, eye line,
    as shares of the side. CK+'s mouths lie as high as FER's.
    """
    from benchmarks.frame import measure_frame
    from facekit.photos.detect import YUNET_FILE, add_detector

    model = real_data.parent / "models" / YUNET_FILE
    if not model.exists():
        pytest.skip(f"no {YUNET_FILE} beside the real data")
    add_detector(model)
    record = measure_frame(real_data, frame=FRAME, limit=40, montage=tmp_path / "mean.png")
    assert set(record["sources"]) == {"celeba", "fer", "ckplus", "lfw", "wild"}
    for name, row in record["sources"].items():
        allowed = 0.03 if name in ("fer", "ckplus") else 0.015
        assert row["faces"] >= 0.9 * row["pictures"]
        assert row["right_eye_x"] == pytest.approx(0.335, abs=allowed), name
        assert row["left_eye_x"] == pytest.approx(0.665, abs=allowed), name
        assert row["eye_y"] == pytest.approx(0.45, abs=allowed), name
        assert row["mouth_y"] == pytest.approx(record["frame"]["mouth_y"], abs=allowed), name
    assert cv2.imread(str(tmp_path / "mean.png")).shape[1] == 5 * 320


def test_the_whole_picture_is_taken_as_it_is() -> None:
    """FER-2013's own 48 px as a frame: no resampling, which would blur."""
    whole = FaceFrame(side=48, eye_y=0.3938, eye_distance=0.3813)
    picture = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    assert np.array_equal(whole.warp(picture, whole.matrix_from_aligned("fer", 48, 48)), picture)
    tighter = FaceFrame(side=48, eye_y=0.3938, eye_distance=0.42)
    for frame, size in ((whole, 96), (tighter, 48)):
        matrix = frame.matrix_from_aligned("fer", size, size)
        eyes = np.array(ALIGNED_EYES["fer"]) * size
        assert carry(matrix, eyes) == pytest.approx(frame.points()[:2])


def test_a_frame_may_hold_the_whole_of_celeba() -> None:
    whole = FaceFrame(side=109, eye_y=0.5161, eye_distance=0.1826)
    corners = np.array([(0, 0), (178, 218)], np.float64)
    found = carry(whole.matrix_from_aligned("celeba", 178, 218), corners)
    assert found[:, 1] == pytest.approx([0, 109], abs=1.0)
    assert found[:, 0] == pytest.approx([10, 99], abs=1.0)  # the sides are filled
