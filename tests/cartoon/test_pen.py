"""Pen, shapes and colors."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.cartoon.pen import Pen, Pose, arc, curve, mirrored, mix, shade, wavy

EYES = np.array([(40.0, 50.0), (60.0, 54.0)])


def pen(pose: Pose = Pose(), size: int = 100) -> Pen:  # noqa: B008
    return Pen(np.zeros((size, size, 3), np.uint8), EYES, pose)


@pytest.mark.parametrize("pose", [Pose(), Pose(0.3, -0.1)])
def test_eyes_land_where_they_are_put(pose: Pose) -> None:
    assert pen(pose).place([(-0.5, 0), (0.5, 0)]) == pytest.approx(EYES)


def test_a_turned_head_shifts_the_nose_sideways() -> None:
    straight = pen().place([(0.0, 0.5)], lift=0.2)
    turned = pen(Pose(yaw=0.3)).place([(0.0, 0.5)], lift=0.2)
    assert turned[0, 0] - straight[0, 0] > 1


def test_filling_covers_the_area_of_the_shape() -> None:
    one = Pen(np.zeros((100, 100, 3), np.uint8), [(40, 50), (60, 50)], Pose())
    one.fill([(-1, -1), (1, -1), (1, 1), (-1, 1)], (255, 255, 255), flat=0.0)
    assert one.canvas[..., 0].sum() / 255 == pytest.approx(41 * 41, rel=0.04)
    weights = one.canvas[..., 0].sum(0) / one.canvas[..., 0].sum()
    assert (weights * (np.arange(100) + 0.5)).sum() == pytest.approx(50, abs=0.3)


def test_nothing_is_drawn_outside_the_inside() -> None:
    one = pen()
    circle = arc((0, 0), (0.5, 0.5))
    with one.inside(circle):
        one.fill([(-9, -9), (9, -9), (9, 9), (-9, 9)], (255, 0, 0))
    y, x = np.nonzero(one.canvas[..., 0] > 20)
    assert len(x) > 200
    assert np.hypot(x + 0.5 - 50, y + 0.5 - 52).max() < 0.5 * one.unit * 1.15 + 2


def test_shapes_may_leave_the_canvas() -> None:
    one = pen()
    far = arc((40, 40), (1, 1))
    with one.inside(far):
        one.soft(far, (255, 255, 255), 1.0, 0.1)
    one.fill(far, (255, 255, 255))
    one.line(arc((0, 0), (9, 9)), (255, 255, 255), 0.1)
    assert one.canvas.sum() == 0


def test_soft_shapes_have_soft_edges() -> None:
    one = pen()
    one.soft(arc((0, 0), (0.6, 0.6)), (200, 100, 0), 1.0, 0.15, flat=0.9)
    assert one.canvas[..., 0].max() > 170
    assert len(np.unique(one.canvas[..., 0])) > 20
    assert one.canvas[..., 2].max() == 0


def test_a_curve_goes_through_its_points() -> None:
    points = np.array([(0.0, 0.0), (1.0, 2.0), (3.0, 1.0)])
    line = curve(points, steps=6)
    assert len(line) == 13
    assert line[[0, 6, 12]] == pytest.approx(points)
    assert curve(points, closed=True, steps=6)[[0, 6, 12]] == pytest.approx(points)


def test_mirrored_outlines_are_symmetric() -> None:
    outline = mirrored([(0.0, -1.0), (1.0, 0.0), (0.0, 1.0)])
    assert outline.tolist() == [[0, -1], [1, 0], [0, 1], [-1, 0]]


def test_waves() -> None:
    line = np.column_stack([np.linspace(0, 4, 81), np.zeros(81)])
    assert (wavy(line, 0.0, 1.0) == line).all()
    waved = wavy(line, 0.1, 1.0)
    assert waved[:, 1].max() == pytest.approx(0.1, abs=0.005)
    assert waved[:, 0] == pytest.approx(line[:, 0])


def test_colors() -> None:
    assert shade((100, 50, 200), 0.5) == (50, 25, 100)
    assert shade((100, 50, 200), 2.0) == (255, 255, 255)
    assert mix((0, 0, 0), (100, 200, 40), 0.25) == (25, 50, 10)
