"""Copies are found however they were changed, and different faces stay apart."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.cartoon import draw_face, make_person
from facekit.frame import FaceFrame
from facekit.labels import EMOTIONS
from facekit.photos.copies import exact_groups, near_copies, near_groups
from facekit.photos.likeness import MIRROR_SIGNS, describe, detail, even_out, fit_correlation

SIDE = 80


def _face(number: int, expression: int = 0) -> np.ndarray:
    person = make_person(3, number)
    rng = np.random.default_rng([number, expression])
    image, _, _ = draw_face(person, EMOTIONS[expression % 7], rng)
    frame = FaceFrame(side=SIDE)
    return frame.warp(image, frame.matrix_from_aligned("celeba", image.shape[1], image.shape[0]))


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    """Thirty different people."""
    return np.stack([_face(number, number) for number in range(30)])


def _resized(crop: np.ndarray) -> np.ndarray:
    small = cv2.resize(crop, (48, 48), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (SIDE, SIDE))


def _recompressed(crop: np.ndarray) -> np.ndarray:
    data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def _recut(crop: np.ndarray) -> np.ndarray:
    matrix = np.array([[1.04, 0, -3.0], [0, 1.04, 0.5]])
    return cv2.warpAffine(crop, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)


def _lighter(crop: np.ndarray) -> np.ndarray:
    return np.clip(crop * 0.7 + 60, 0, 255).astype(np.uint8)


def _grey(crop: np.ndarray) -> np.ndarray:
    return np.repeat(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


def _mirrored(crop: np.ndarray) -> np.ndarray:
    return crop[:, ::-1]


CHANGES = [_resized, _recompressed, _recut, _lighter, _grey, _mirrored]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_joins_its_original_and_nothing_else_is_joined(
    faces: np.ndarray, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    crops = np.concatenate([faces, [change(crop) for crop in faces[:5]]])
    assert near_groups(crops).tolist() == [*range(30), *range(5)]
    assert exact_groups(crops).tolist() == list(range(35))
    copies = near_copies(crops)
    assert sorted(map(tuple, copies.pairs.tolist())) == [(i, 30 + i) for i in range(5)]
    assert (copies.correlation >= 0.9).all()
    assert copies.mirrored.all() == (change is _mirrored)


def test_exact_copies_are_in_both_kinds_of_groups_and_are_no_pairs(faces: np.ndarray) -> None:
    crops = np.concatenate([faces, faces[7:9], faces[7:8]])
    wanted = [*range(30), 7, 8, 7]
    assert exact_groups(crops).tolist() == wanted
    copies = near_copies(crops)
    assert copies.groups.tolist() == wanted
    assert copies.pairs.shape == (0, 2)


def test_groups_are_numbered_within_the_rows(faces: np.ndarray) -> None:
    crops = np.concatenate([faces, faces[:3]])
    assert exact_groups(crops, rows=[32, 4, 2, 31]).tolist() == [0, 1, 0, 3]
    assert near_groups(crops, rows=[32, 4, 2, 31]).tolist() == [0, 1, 0, 3]


def test_copies_of_copies_are_one_group(faces: np.ndarray) -> None:
    chain = [faces[0], _resized(faces[0]), _lighter(_resized(faces[0]))]
    assert near_groups(np.stack([*chain, faces[1]])).tolist() == [0, 0, 0, 3]


def test_other_photos_of_a_person_are_no_copies() -> None:
    crops = np.stack([_face(5, expression) for expression in range(7)])
    assert near_groups(crops).tolist() == list(range(7))


def test_blank_crops_are_copies_only_of_their_like(faces: np.ndarray) -> None:
    blank = np.zeros((3, SIDE, SIDE, 3), np.uint8)
    blank[2] = 200
    assert near_groups(np.concatenate([blank, faces[:4]])).tolist() == [0, 0, 2, 3, 4, 5, 6]


def test_few_crops_and_none() -> None:
    crops = np.stack([_face(1), _resized(_face(1))])
    assert near_groups(crops).tolist() == [0, 0]
    assert near_groups(crops[:1]).tolist() == [0]
    assert near_groups(crops[:0]).shape == (0,)


def test_the_blocks_do_not_show(faces: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    from facekit.photos import copies as duplicates

    crops = np.concatenate([faces, [_recut(_mirrored(crop)) for crop in faces[::7]]])
    whole = near_groups(crops)
    monkeypatch.setattr(duplicates, "_TALL", 8)
    monkeypatch.setattr(duplicates, "_WIDE", 16)
    assert near_groups(crops).tolist() == whole.tolist()
    seen: list[tuple[int, int]] = []
    near_copies(crops, progress=lambda done, every: seen.append((done, every)))
    assert seen[0] == (8, 35) and seen[-1] == (35, 35)


def test_signs_mirror_a_descriptor_before_and_after_evening_out(faces: np.ndarray) -> None:
    plain = np.stack([describe(crop) for crop in faces])
    mirrored = np.stack([describe(crop[:, ::-1]) for crop in faces])
    np.testing.assert_allclose(mirrored, plain * MIRROR_SIGNS, atol=0.02)
    even = even_out(plain)
    np.testing.assert_allclose(np.linalg.norm(even, axis=1), 1, atol=1e-5)
    strangers = even @ even.T - np.eye(len(even))
    before = plain @ plain.T - np.eye(len(even))
    assert np.abs(strangers).mean() < 0.7 * np.abs(before).mean()


def test_correlation_is_1_for_the_same_and_0_without_detail(faces: np.ndarray) -> None:
    plain, sharp = detail(faces[0])
    assert fit_correlation(sharp, plain) == pytest.approx(1, abs=1e-4)
    grey = np.full((48, 48), 99, np.float32)
    assert fit_correlation(sharp, grey) == 0
    assert fit_correlation(grey * 0, plain) == 0


@pytest.mark.real
def test_the_known_duplicates_of_fer_2013(real_data: Path) -> None:
    from facekit.datasets.fer import read_fer

    table = read_fer(real_data / "fer2013")
    table = table.select(table.labels == EMOTIONS.index("surprise"))
    crops = np.stack([cv2.imread(os.fspath(path)) for path in table.images])
    groups = exact_groups(crops)
    assert (np.bincount(groups) > 1).sum() == 497
    in_train = np.isin(groups, groups[table.split == "train"])
    assert (in_train & (table.split == "test")).sum() == 113
