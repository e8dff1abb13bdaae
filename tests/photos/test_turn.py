"""Photos that lie on their side or head are turned until their faces stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from facekit.photos.detection import Detection
from facekit.photos.turn import box_before, look, turn_matrix, turned


@dataclass
class Marked:
    """Finds a face where a red pixel is, surely where it lies in the upper left."""

    name: str = "yunet"
    key: str = "marked"
    elsewhere: float = 0.8
    looks: int = 0

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        self.looks += 1
        y, x = np.argwhere(rgb[:, :, 0] == 255)[0]
        upper = y < rgb.shape[0] / 2 and x < rgb.shape[1] / 2
        score = 0.95 if upper else self.elsewhere
        return [Detection((float(x), float(y), 4.0, 2.0), score)] if score else []


PHOTO = np.zeros((20, 30, 3), np.uint8)
PHOTO[5, 7] = (255, 0, 0)


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
@pytest.mark.parametrize("elsewhere", [0.0, 0.8])
@pytest.mark.parametrize("name", ["yunet", "haar"])
def test_the_way_up_is_where_the_detector_is_surest(turn: int, elsewhere: float, name: str) -> None:
    detector = Marked(name, elsewhere=elsewhere and (0.8 if name == "yunet" else 0.4))
    found, (face,) = look(turned(PHOTO, turn), detector)
    assert (turn + found) % 4 == 0
    assert face.box == (7, 5, 4, 2)
    assert detector.looks == (1 if turn == 0 else 4)


def test_a_large_photo_is_turned_small_and_its_faces_are_found_in_full() -> None:
    large = np.zeros((4000, 6000, 3), np.uint8)
    large[990:1010, 1400:1420] = (255, 0, 0)
    sizes: list[tuple[int, ...]] = []

    class Sized(Marked):
        def detect(self, rgb: np.ndarray) -> list[Detection]:
            sizes.append(rgb.shape[:2])
            return super().detect((rgb > 200).astype(np.uint8) * 255)

    turn, (face,) = look(turned(large, 2), Sized())
    assert turn == 2 and face.box[:2] == (1400, 990)
    assert sizes[0] == sizes[-1] == (4000, 6000) and max(map(max, sizes[1:-1])) == 1600


def test_a_photo_whose_turns_are_no_better_stays_as_it_is() -> None:
    weak = PHOTO[::-1]  # never in the upper left by turning alone, once
    assert look(np.zeros_like(PHOTO) + 255, Marked(elsewhere=0.8))[0] == 0
    none = Marked("none", elsewhere=0.1)
    assert look(np.ascontiguousarray(weak), none)[0] == 0
    assert none.looks == 1


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_points_and_boxes_of_a_turned_photo_are_found_in_the_photo(turn: int) -> None:
    again = turned(PHOTO, turn)
    y, x = np.argwhere(again[:, :, 0] == 255)[0]
    np.testing.assert_allclose(turn_matrix(turn, 30, 20) @ [7, 5, 1], [x, y, 1])
    assert box_before((x, y, 1, 1), turn, 30, 20) == (7, 5, 1, 1)
