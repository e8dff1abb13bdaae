"""Cartoon faces: deterministic, aligned, and labelled with what is drawn."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facekit.cartoon import draw_face, make_person
from facekit.cartoon.pen import Pose
from facekit.cartoon.person import Expression, Light, Look, Person, make_look
from facekit.cartoon.scene import attributes, paint_person
from facekit.errors import UsageError
from facekit.frame import ALIGNED_EYES
from facekit.labels import ATTRIBUTES, EMOTIONS

EYES = np.array([(138.0, 224.0), (218.0, 224.0)])


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def plain(person: Person) -> Look:
    """Front view, neutral, nothing worn."""
    return replace(
        make_look(person, "neutral", rng(1)),
        expression=Expression(),
        pose=Pose(),
        light=Light(),
        glasses=None,
        hat=None,
        beard="none",
        lipstick=None,
        makeup=None,
        blush=False,
        earrings=None,
        necklace=None,
        tie=None,
        blur=0.0,
        gaze=(0.0, 0.0),
    )


def paint(person: Person, look: Look) -> NDArray[np.uint8]:
    canvas = np.full((436, 356, 3), 128, np.uint8)
    paint_person(canvas, person, look, EYES)
    return canvas


BASE = replace(
    make_person(0, 0), male=True, young=True, hair_style="short", hair_name="brown",
    hair=(100.0, 66.0, 40.0), hair_wave=0.0, receding=False, bangs=False, beard="none",
    sideburns=False, chubby=False, double_chin=False, oval=False, pale=False, eye_bags=False,
    high_cheekbones=False, mole=None, brow_thick=0.07, brow_arch=0.03, eye_w=0.25, eye_h=0.14,
    nose_w=0.22, nose_point=0.1, lip_low=0.08, lip_up=0.07,
)  # fmt: skip


def test_same_seed_same_picture() -> None:
    one = draw_face(make_person(3, 5), "happy", rng(8))
    two = draw_face(make_person(3, 5), "happy", rng(8))
    assert (one[0] == two[0]).all()
    assert one[1] == two[1]
    assert (one[2] == two[2]).all()
    other = draw_face(make_person(3, 5), "happy", rng(9))
    assert (one[0] != other[0]).any()


def test_shape_type_and_names() -> None:
    image, truth, points = draw_face(make_person(0, 1), "sad", rng(0))
    assert image.shape == (218, 178, 3)
    assert image.dtype == np.uint8
    assert tuple(truth) == ATTRIBUTES
    assert all(isinstance(value, bool) for value in truth.values())
    assert points.shape == (5, 2)
    assert points.dtype == np.float64


@pytest.mark.parametrize("aligned", ALIGNED_EYES)
def test_eyes_are_where_the_source_has_them(aligned: str) -> None:
    size = (178, 218) if aligned == "celeba" else (48, 48)
    want = np.array(ALIGNED_EYES[aligned]) * size
    unit = np.hypot(*(want[1] - want[0]))
    got = np.array(
        [
            draw_face(make_person(0, i), "neutral", rng(i), size, aligned=aligned)[2][:2]
            for i in range(24)
        ]
    )
    assert np.abs(got.mean(0) - want).max() < 0.02 * unit
    assert np.abs(got - want).max() < 0.12 * unit


def test_points_lie_on_what_is_drawn() -> None:
    """The pupils are the darkest spots around the eye points, the lips are red."""
    look = replace(plain(BASE), lipstick=(200.0, 20.0, 60.0))
    canvas = np.full((436, 356, 3), 128, np.uint8)
    points = paint_person(canvas, BASE, look, EYES)
    assert np.abs(points[:2] - EYES).max() < 0.5
    for x, y in points[:2]:
        eye = canvas[int(y) - 10 : int(y) + 11, int(x) - 16 : int(x) + 17].sum(2)
        dark = np.argwhere(eye < eye.min() + 40)
        assert np.abs(dark.mean(0) - (10, 16)).max() < 4
    red = (canvas[..., 0].astype(int) - canvas[..., 1] > 110) & (canvas[..., 2] < 110)
    columns, rows = np.flatnonzero(red.any(0)), np.flatnonzero(red.any(1))
    assert columns.min() == pytest.approx(points[3, 0], abs=5)
    assert columns.max() == pytest.approx(points[4, 0], abs=5)
    assert rows.min() < points[3:, 1].mean() < rows.max()
    assert points[0, 0] < points[1, 0]
    assert points[3, 0] < points[2, 0] < points[4, 0]
    assert points[1, 1] < points[2, 1] < points[3, 1]


TRUE_OF_BASE = {"Attractive", "Brown_Hair", "Male", "No_Beard", "Straight_Hair", "Young"}


def changes() -> dict[str, tuple[Person, dict[str, object]]]:
    """For every attribute a person and look that differ from BASE in it."""
    red, gold = (190.0, 30.0, 60.0), (90.0, 60.0, 150.0)

    def person(**values: object) -> tuple[Person, dict[str, object]]:
        return replace(BASE, **values), {}  # type: ignore[arg-type]

    def look(**values: object) -> tuple[Person, dict[str, object]]:
        return BASE, values

    return {
        "5_o_Clock_Shadow": look(beard="stubble"),
        "Arched_Eyebrows": person(brow_arch=0.16),
        "Attractive": person(chubby=True, face_w=BASE.face_w + 0.1, jaw_w=BASE.jaw_w + 0.2),
        "Bags_Under_Eyes": person(eye_bags=True),
        "Bald": person(hair_style="bald"),
        "Bangs": person(bangs=True),
        "Big_Lips": person(lip_low=0.17, lip_up=0.13),
        "Big_Nose": person(nose_w=0.38),
        "Black_Hair": person(hair_name="black", hair=(30.0, 26.0, 30.0)),
        "Blond_Hair": person(hair_name="blond", hair=(230.0, 190.0, 110.0)),
        "Blurry": look(blur=0.08),
        "Brown_Hair": person(hair_name="red", hair=(170.0, 70.0, 30.0)),
        "Bushy_Eyebrows": person(brow_thick=0.14),
        "Chubby": person(chubby=True, face_w=BASE.face_w + 0.1, jaw_w=BASE.jaw_w + 0.2),
        "Double_Chin": person(double_chin=True),
        "Eyeglasses": look(glasses="round"),
        "Goatee": look(beard="goatee"),
        "Gray_Hair": person(hair_name="gray", hair=(170.0, 170.0, 170.0)),
        "Heavy_Makeup": look(makeup=gold),
        "High_Cheekbones": person(high_cheekbones=True),
        "Male": person(male=False),
        "Mouth_Slightly_Open": look(expression=Expression(gap=0.12, teeth=0.5)),
        "Mustache": look(beard="mustache"),
        "Narrow_Eyes": person(eye_h=0.075),
        "No_Beard": look(beard="full"),
        "Oval_Face": person(oval=True, face_w=1.02, chin_y=1.82, jaw_w=0.72),
        "Pale_Skin": person(pale=True, skin=(246.0, 229.0, 222.0)),
        "Pointy_Nose": person(nose_point=0.95),
        "Receding_Hairline": person(receding=True, hair_line=1.25),
        "Rosy_Cheeks": look(blush=True),
        "Sideburns": person(sideburns=True),
        "Smiling": look(expression=Expression(corner=-0.17, mouth_w=1.3)),
        "Straight_Hair": person(hair_wave=0.08),
        "Wavy_Hair": person(hair_wave=0.08),
        "Wearing_Earrings": look(earrings="hoop"),
        "Wearing_Hat": look(hat="cap"),
        "Wearing_Lipstick": look(lipstick=red),
        "Wearing_Necklace": look(necklace="beads"),
        "Wearing_Necktie": look(tie=red),
        "Young": person(young=False),
    }


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_every_attribute_is_drawn(name: str) -> None:
    """Changing what an attribute speaks of flips its label and changes the picture."""
    start = plain(BASE)
    person, values = changes()[name]
    look = replace(start, **values)  # type: ignore[arg-type]
    assert attributes(BASE, start)[name] == (name in TRUE_OF_BASE)
    assert attributes(person, look)[name] == (name not in TRUE_OF_BASE)
    one, two = paint(BASE, start), paint(person, look)
    if name == "Blurry":  # the camera does it, after painting
        before = draw_face_with(BASE, start)
        after = draw_face_with(BASE, look)
        assert (
            cv2.Laplacian(after, cv2.CV_64F).var() < 0.2 * cv2.Laplacian(before, cv2.CV_64F).var()
        )
        return
    visible = np.abs(one.astype(int) - two).max(2) > 24
    assert visible.sum() > 150


def draw_face_with(person: Person, look: Look) -> NDArray[np.uint8]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("facekit.cartoon.scene.make_look", lambda *_: look)
        return draw_face(person, "neutral", rng(4))[0]


def test_what_is_covered_does_not_count() -> None:
    start = plain(BASE)
    hat, sun = replace(start, hat="beanie"), replace(start, glasses="sun")
    bald = replace(BASE, hair_style="bald")
    fringe = replace(BASE, bangs=True)
    tired = replace(BASE, eye_bags=True, eye_h=0.07)
    assert not attributes(bald, hat)["Bald"]
    assert not attributes(fringe, hat)["Bangs"]
    assert not attributes(tired, sun)["Bags_Under_Eyes"]
    assert not attributes(tired, sun)["Narrow_Eyes"]
    assert (paint(tired, sun) == paint(replace(BASE, eye_h=0.07), sun)).mean() > 0.97


@pytest.mark.parametrize("seed", range(3))
def test_expressions_differ_clearly(seed: int) -> None:
    person = replace(make_person(seed, 1), bangs=False, hair_style="short")
    start = plain(person)
    faces = []
    for name in EMOTIONS:
        expression = make_look(person, name, rng(seed, 7)).expression
        area = paint(person, replace(start, expression=expression))[120:380, 80:280]
        faces.append(cv2.cvtColor(area, cv2.COLOR_RGB2GRAY).astype(int))
    for i, one in enumerate(faces):
        for other in faces[i + 1 :]:
            assert (np.abs(one - other) > 40).mean() > 0.01


def test_expressions_give_their_attributes() -> None:
    truths = {
        name: [draw_face(make_person(0, i), name, rng(i), (40, 48))[1] for i in range(20)]
        for name in ("happy", "surprise", "sad")
    }
    assert all(truth["Smiling"] for truth in truths["happy"])
    assert not any(truth["Smiling"] for truth in truths["surprise"] + truths["sad"])
    assert all(truth["Mouth_Slightly_Open"] for truth in truths["surprise"])


def test_a_person_looks_more_like_themself_than_like_others() -> None:
    def tiny(number: int, photo: int) -> NDArray[np.float32]:
        look = replace(plain(make_person(2, number)), pose=Pose(0.05 * photo, 0.0), wind=photo)
        image = paint(make_person(2, number), look)[100:400, 60:300]
        return cv2.resize(image, (24, 30), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()

    first = np.array([tiny(i, 0) for i in range(10)])
    second = np.array([tiny(i, 1) for i in range(10)])
    distance = np.linalg.norm(first[:, None] - second[None], axis=2)
    assert (distance.argmin(1) == np.arange(10)).mean() >= 0.9


def test_sizes_and_names_that_cannot_be_drawn() -> None:
    person = make_person(0, 0)
    with pytest.raises(UsageError, match="at least 16x16"):
        draw_face(person, "happy", rng(0), (8, 40))
    with pytest.raises(UsageError, match="'joy' is not among angry"):
        draw_face(person, "joy", rng(0))
    with pytest.raises(UsageError, match="celeba, fer"):
        draw_face(person, "happy", rng(0), aligned="lfw")


def test_every_attribute_is_common_and_uncommon_enough_to_learn() -> None:
    values = []
    for number in range(150):
        person = make_person(0, number)
        for photo, name in enumerate(EMOTIONS):
            truth = attributes(person, make_look(person, name, rng(number, photo)))
            values.append(list(truth.values()))
    shares = dict(zip(ATTRIBUTES, np.mean(values, axis=0), strict=True))
    assert {name: share for name, share in shares.items() if not 0.03 < share < 0.9} == {}
