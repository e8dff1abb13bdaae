"""Copies and occasions are known again from numbers alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facekit.enrollment.photo import Photo, Trace
from facekit.enrollment.sessions import KnownPhotos, known_photos, read_known
from facekit.errors import DataError
from facekit.heads.arrays import pack, unpack
from facekit.photos.likeness import COLOURS, MIRROR_SIGNS


def unit(row: np.ndarray) -> np.ndarray:
    return (row / np.linalg.norm(row)).astype(np.float32)


def photo(number: int, *, taken: float | None = None, used: bool = True) -> Photo:
    """A photo that is like no other one."""
    rng = np.random.default_rng([9, number])
    colours = np.zeros(COLOURS, np.float32)
    colours[rng.choice(COLOURS, 4, replace=False)] = 0.5
    face, scene = unit(rng.normal(size=63)), unit(rng.normal(size=63))
    trace = Trace(face, scene, colours, scene, colours)
    return Photo(
        path=f"album/{number}.jpg",
        digest=f"{number:064x}",
        used=used,
        vector=unit(rng.normal(size=32)),
        attributes=rng.random(40).astype(np.float32),
        trace=trace,
        taken=taken,
    )


def like(one: Photo, other: Photo, *parts: str) -> Photo:
    """Another photo that shares some of the first one's looks, nearly."""
    assert one.trace is not None
    assert other.trace is not None
    rng = np.random.default_rng(3)

    def near(row: np.ndarray) -> np.ndarray:
        return unit(row + 0.1 * unit(rng.normal(size=len(row))))

    taken = {name: near(getattr(one.trace, name)) for name in parts if name != "vector"}
    around = {f"near_{name}": taken[name] for name in ("scene", "colours") if name in taken}
    taken = {**around, **taken}
    vector = near(one.vector) if "vector" in parts and one.vector is not None else other.vector
    return replace(other, vector=vector, trace=replace(other.trace, **taken))


def copies(*photos: Photo) -> list[int]:
    return known_photos(photos).copies_of(len(photos) - 1).tolist()


def sessions(*photos: Photo) -> list[int]:
    return known_photos(photos).sessions.tolist()


def test_photos_without_anything_in_common_are_apart() -> None:
    album = [photo(number) for number in range(6)]
    assert copies(*album) == []
    assert sessions(*album) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("parts", "copy", "together"),
    [
        (("vector", "face", "colours"), True, True),
        (("vector", "scene"), True, True),
        (("vector", "face"), False, True),
        (("face", "colours"), False, True),
        (("scene",), False, True),
        (("colours",), False, True),
        (("face",), False, False),
        (("vector",), False, False),
    ],
)
def test_what_makes_a_copy_and_what_an_occasion(
    parts: tuple[str, ...], copy: bool, together: bool
) -> None:
    first = photo(1)
    album = [photo(0), first, photo(2), like(first, photo(3), *parts)]
    assert copies(*album) == ([1] if copy else [])
    assert sessions(*album) == [0, 1, 2, 1 if together else 3]


def test_a_mirrored_copy_is_a_copy() -> None:
    first = photo(1)
    assert first.trace is not None
    turned = like(first, photo(2), "vector", "face", "colours")
    assert turned.trace is not None
    mirrored = replace(turned, trace=replace(turned.trace, face=turned.trace.face * MIRROR_SIGNS))
    assert copies(first, mirrored) == [0]


def test_the_same_file_is_a_copy_whatever_it_shows() -> None:
    assert copies(photo(1), replace(photo(2), digest=photo(1).digest)) == [0]


def test_photos_of_one_hour_are_one_occasion_and_chains_hold() -> None:
    start = 1.7e9
    hours = [0.0, 0.9, 1.8, 3.0, 50.0]
    album = [photo(i, taken=start + 3600 * hour) for i, hour in enumerate(hours)]
    assert sessions(*album) == [0, 0, 0, 1, 2]
    assert sessions(photo(8), *album, photo(9)) == [0, 1, 1, 1, 2, 3, 4]


@pytest.mark.parametrize("part", ["scene", "colours"])
def test_what_whole_photos_share_says_nothing_where_the_faces_surroundings_do_not(
    part: str,
) -> None:
    first, other = photo(1), photo(2)
    framed = like(first, other, part)
    assert framed.trace is not None and other.trace is not None
    around = {f"near_{part}": getattr(other.trace, part)}
    assert sessions(first, framed) == [0, 0]
    assert sessions(first, replace(framed, trace=replace(framed.trace, **around))) == [0, 1]
    assert first.trace is not None
    grey = replace(first.trace, near_colours=np.zeros(COLOURS, np.float32))
    together = part == "scene"
    assert sessions(replace(first, trace=grey), framed) == [0, 0 if together else 1]


def test_a_clock_that_many_unlike_photos_gainsay_says_nothing() -> None:
    one_day = [photo(i, taken=1.7e9 + 180 * i) for i in range(6)]
    assert sessions(*one_day) == [0, 1, 2, 3, 4, 5]
    first = one_day[0]
    alike = [replace(like(first, one, "colours"), taken=one.taken) for one in one_day[1:3]]
    assert sessions(first, *alike, *one_day[3:5], photo(9)) == [0, 0, 0, 0, 0, 1]


def test_a_clock_that_stands_says_nothing() -> None:
    assert sessions(photo(1, taken=5.0), photo(2, taken=5.0)) == [0, 1]
    assert sessions(photo(1, taken=5.0), photo(2, taken=6.0)) == [0, 0]


def test_a_photo_may_join_two_occasions() -> None:
    one, other = photo(1, taken=0.0), photo(2)
    bridge = replace(like(other, photo(3), "scene"), taken=60.0)
    assert sessions(one, other) == [0, 1]
    assert sessions(one, other, bridge) == [0, 0, 0]


def test_only_photos_that_are_used_are_kept() -> None:
    album = [photo(0), photo(1, used=False), photo(2)]
    known = known_photos(album)
    assert known.files == ("0.jpg", "2.jpg")
    assert len(known) == 2
    assert len(known_photos([])) == 0
    assert known_photos([]).sessions.tolist() == []


def test_what_was_stored_comes_back() -> None:
    known = known_photos([photo(0, taken=5.0), photo(1)])
    stored = unpack(pack({"vectors": np.zeros(3), **known.arrays()}))
    found = read_known(stored)
    assert found.digests == known.digests
    assert found.files == known.files
    for name in ("vectors", "faces", "scenes", "colours", "near_scenes", "looks", "taken"):
        np.testing.assert_array_equal(getattr(found, name), getattr(known, name))
    assert found.with_photos([photo(0)]).copies_of(2).tolist() == [0]
    earlier = {name: rows for name, rows in stored.items() if "near" not in name}
    assert read_known(earlier).sessions.tolist() == known.sessions.tolist()
    empty = read_known(unpack(pack(known_photos([]).arrays())))
    assert len(empty.with_photos([photo(3)])) == 1


def test_photos_join_in_order_and_can_be_picked() -> None:
    known = known_photos([photo(0), photo(1)])
    both = known.with_photos([photo(2), photo(3, used=False), photo(4)])
    assert both.files == ("0.jpg", "1.jpg", "2.jpg", "4.jpg")
    assert both.take([3, 0]).files == ("4.jpg", "0.jpg")
    assert len(known.with_photos([])) == 2


def test_photos_of_another_model_are_refused() -> None:
    known = known_photos([photo(0)])
    other = replace(photo(1), vector=np.ones(7, np.float32))
    with pytest.raises(DataError, match="use the model they were enrolled with"):
        known.with_photos([other])


@pytest.mark.parametrize(
    "name", ["digests", "files", "vectors", "faces", "colours", "looks", "taken"]
)
def test_arrays_that_do_not_fit_are_refused(name: str) -> None:
    arrays = known_photos([photo(0), photo(1)]).arrays()
    key = f"photo_{name}"
    with pytest.raises(DataError, match="enrol again"):
        read_known({k: v for k, v in arrays.items() if k != key})
    with pytest.raises(DataError, match="enrol again"):
        read_known({**arrays, key: arrays[key][:1]})
    if name in ("vectors", "faces", "colours", "looks"):
        with pytest.raises(DataError, match="enrol again"):
            read_known({**arrays, key: arrays[key].ravel()[:2]})


def test_what_is_kept_of_a_photo_is_small() -> None:
    known = known_photos([photo(0)])
    assert isinstance(known, KnownPhotos)
    assert sum(array.nbytes for array in known.arrays().values()) < 5000
