"""Augmented copies of photos follow from their seed and show real surroundings."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from facekit.augment.photos import augment_photos, contact_sheet, wide_crop
from facekit.errors import UsageError
from facekit.frame import FaceFrame
from facekit.recipe.enroll import PhotoAugmentSpec

FRAME = FaceFrame(side=40)
STILL = PhotoAugmentSpec(
    mirror=0,
    rotation=0,
    zoom=0,
    stretch=0,
    shift=0,
    light=0,
    colour=0,
    noise=0,
    blur=0,
    low_resolution=0,
)


def picture(seed: int = 0, size: int = 300) -> np.ndarray:
    """Smooth noise, so that resampling changes little."""
    noise = np.random.default_rng(seed).integers(0, 256, (size // 10, size // 10, 3), np.uint8)
    return cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)


def wide(seed: int = 0) -> np.ndarray:
    return wide_crop(picture(seed), matrix(), FRAME)


def matrix(scale: float = 0.7) -> np.ndarray:
    return np.array([[scale, 0.1, -60.0], [-0.1, scale, -50.0]])


def test_the_middle_of_the_wide_crop_is_the_crop() -> None:
    crop = FRAME.warp(picture(), matrix())
    np.testing.assert_array_equal(wide()[20:60, 20:60], crop)
    assert wide().shape == (80, 80, 3)


def test_where_the_photo_ends_its_edge_goes_on() -> None:
    shown = wide_crop(np.full((50, 50, 3), 77, np.uint8), matrix(), FRAME)
    assert (shown == 77).all()


def test_nothing_switched_on_gives_the_crop_itself() -> None:
    copies = augment_photos([wide(), wide(1)], STILL, frame=FRAME, copies=3, seeds=[0, 1])
    assert copies.shape == (6, 40, 40, 3)
    for i, copy in enumerate(copies):
        np.testing.assert_array_equal(copy, wide(i // 3)[20:60, 20:60])


def test_copies_follow_from_their_seed_alone() -> None:
    spec = PhotoAugmentSpec()
    both = augment_photos([wide(), wide(1)], spec, frame=FRAME, copies=4, seeds=[5, 6])
    later = augment_photos([wide(1)], spec, frame=FRAME, copies=7, seeds=[6])
    np.testing.assert_array_equal(both[4:], later[:4])
    other = augment_photos([wide(1)], spec, frame=FRAME, copies=7, seeds=[7])
    assert all((a != b).any() for a, b in zip(later, other, strict=True))
    assert len({copy.tobytes() for copy in later}) == 7


@pytest.mark.parametrize("name", ["light", "colour", "noise", "blur", "low_resolution", "mirror"])
def test_every_share_switches_one_thing_on(name: str) -> None:
    changed = STILL.model_copy(update={name: 1.0})
    copies = augment_photos([wide()], changed, frame=FRAME, copies=4, seeds=[3])
    crop = wide()[20:60, 20:60]
    assert sum((copy != crop).any() for copy in copies) >= 3
    if name == "mirror":
        np.testing.assert_array_equal(copies[0], crop[:, ::-1])


@pytest.mark.parametrize("amount", [{"rotation": 20.0}, {"zoom": 0.3}, {"shift": 0.2}])
def test_geometry_shows_what_was_really_beside_the_face(amount: dict[str, float]) -> None:
    """A white frame around the crop comes into view; a continued edge would hide it."""
    framed = wide()
    framed[:20] = framed[60:] = 255
    framed[:, :20] = framed[:, 60:] = 255
    spec = STILL.model_copy(update=amount)
    copies = augment_photos([framed], spec, frame=FRAME, copies=12, seeds=[1])
    seen = [(copy.reshape(-1, 3).min(1) == 255).sum() for copy in copies]
    assert max(seen) > 40


def test_no_copies_and_no_photos_are_empty() -> None:
    for photos, copies in (([], 3), ([wide()], 0)):
        found = augment_photos(photos, STILL, frame=FRAME, copies=copies, seeds=[0] * len(photos))
        assert found.shape == (0, 40, 40, 3)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="1 photos, 2 seeds"):
        augment_photos([wide()], STILL, frame=FRAME, copies=1, seeds=[0, 1])
    with pytest.raises(UsageError, match=r"\(80, 80, 3\)"):
        augment_photos([picture()], STILL, frame=FRAME, copies=1, seeds=[0])


def test_albumentations_asks_no_server() -> None:
    code = (
        "import sys, numpy as np\n"
        "sys.addaudithook(lambda name, _: sys.exit(7) if name == 'socket.connect' else None)\n"
        "from facekit.augment.photos import augment_photos\n"
        "from facekit.frame import FaceFrame\n"
        "from facekit.recipe.enroll import PhotoAugmentSpec\n"
        "assert 'albumentations' not in sys.modules\n"
        "photo = np.zeros((80, 80, 3), np.uint8)\n"
        "augment_photos([photo], PhotoAugmentSpec(), frame=FaceFrame(40), copies=1, seeds=[0])\n"
        "assert 'albumentations' in sys.modules\n"
    )
    clean = {k: v for k, v in os.environ.items() if k != "NO_ALBUMENTATIONS_UPDATE"}
    done = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_contact_sheet_has_a_row_for_each_photo() -> None:
    red, blue = np.zeros((2, 3, 10, 10, 3), np.uint8)
    red[..., 0], blue[..., 2] = 200, 200
    sheet = contact_sheet([red, blue[:1]])
    assert sheet.shape == (2 * 12 + 2, 3 * 12 + 2, 3)
    assert (sheet[2, 2] == (200, 0, 0)).all() and (sheet[14, 2] == (0, 0, 200)).all()
    assert (sheet[14, 14] == 255).all()
    with pytest.raises(UsageError, match="one size"):
        contact_sheet([red, np.zeros((1, 8, 8, 3), np.uint8)])
    with pytest.raises(UsageError, match="one size"):
        contact_sheet([])
