"""Folders of photos, each used or refused; faces are tiles of colours here."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from facekit.bundle.bundle import Bundle, identity_vectors
from facekit.bundle.load import load_bundle
from facekit.bundle.strangers import Strangers
from facekit.enrollment.gather import gather_photos
from facekit.enrollment.photo import CODES, Photo
from facekit.enrollment.sessions import known_photos, read_known
from facekit.errors import BundleError, DataError
from facekit.photos.detection import Detection
from facekit.recipe.enroll import QualitySpec
from facekit.results import Face

SPEC = QualitySpec()
TILE = 120
#: A tile whose first pixel has this colour is turned far to the side.
PROFILE = (1, 2, 3)
#: Three whose vectors on the tiny backbone are far apart.
ME, FRIEND, OTHER = 1, 16, 3


@dataclass
class Tiles:
    """Finds a face in each square of a strip that is not black."""

    name: str = "yunet"
    key: str = "tiles"
    seen: list[tuple[int, int]] = field(default_factory=list)

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        self.seen.append(rgb.shape[:2])
        side = rgb.shape[0]
        found = []
        for x in range(0, rgb.shape[1] - side + 1, side):
            tile = rgb[:, x : x + side]
            if tile.max() > tile.min():  # a blank one has none, whichever way up
                turned = tuple(tile[0, 0]) == PROFILE
                points = POINTS + ([[0, 0], [0, 0], [32, 0], [0, 0], [0, 0]] if turned else 0)
                points = points * side / TILE + (x, 0)
                box = (float(x), 0.0, float(side), float(side))
                found.append(Detection(box, 0.9, points if self.name == "yunet" else None))
        return found


#: Eyes, nose and mouth of a tile of 120 pixels.
POINTS = np.array([[40, 54], [80, 54], [60, 76], [43, 93], [77, 93]], np.float64)


@dataclass
class Model:
    bundle: Bundle
    detector: Tiles


@pytest.fixture(scope="module")
def model(tiny_bundle: Path) -> Model:
    return Model(load_bundle(tiny_bundle, threads=1), Tiles())


@pytest.fixture(scope="module")
def strangers(model: Model) -> Strangers:
    """People made the way those of the photos are."""
    rng = np.random.default_rng(0)
    crops = [cv2.resize(tile(100 + i, rng), (40, 40)) for i in range(600)]
    vectors = identity_vectors(model.bundle, np.stack(crops))
    told = model.bundle.scores(np.stack(crops), ["attributes"])["attributes"]
    attributes = np.round(told * 255).astype(np.uint8)
    return Strangers(vectors, attributes, np.zeros(600, bool), model.bundle.key)


def tile(person: int, rng: np.random.Generator) -> np.ndarray:
    """One face: the person's colours in cells, the photo's light and shade inside them.

    The tiny backbone sees mean colours of cells alone; descriptors of copies see
    light and shade alone, because all cells are equally bright.
    """
    red, blue = np.random.default_rng([7, person]).uniform(-75, 75, (2, 4, 4))
    cells = np.stack([red, -(0.299 * red + 0.114 * blue) / 0.587, blue], axis=2)
    big = cv2.resize(cells, (TILE, TILE), interpolation=cv2.INTER_NEAREST) + 125
    shade = np.kron(rng.choice([-35.0, 35.0], (4, 4)), np.repeat([[1, -1]], 2, axis=0))
    shade = shade if rng.integers(2) else np.ascontiguousarray(shade.T)
    big += cv2.resize(shade, (TILE, TILE), interpolation=cv2.INTER_NEAREST)[:, :, None]
    return np.clip(big + rng.normal(0, 10, big.shape), 1, 255).astype(np.uint8)


class Album:
    """Writes photos into a folder and remembers their paths."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rng, self.paths = folder, np.random.default_rng(1), []

    def faces(self, *people: int) -> np.ndarray:
        """A strip of faces."""
        return np.concatenate([tile(person, self.rng) for person in people], axis=1)

    def add(self, image: np.ndarray | bytes, name: str = "") -> Path:
        path = self.folder / (name or f"{len(self.paths):02d}.png")
        if isinstance(image, bytes):
            path.write_bytes(image)
        else:
            assert cv2.imwrite(str(path), image[:, :, ::-1])
        self.paths.append(path)
        return path

    def me(self, n: int) -> None:
        for _ in range(n):
            self.add(self.faces(ME))


@pytest.fixture
def album(tmp_path: Path) -> Album:
    return Album(tmp_path)


Gather = Callable[..., list[Photo]]


@pytest.fixture
def gather(model: Model, strangers: Strangers) -> Gather:
    def run(paths: list[Path], **options: object) -> list[Photo]:
        return gather_photos(paths, model, SPEC, strangers=strangers, **options)  # type: ignore[arg-type]

    return run


def codes(photos: list[Photo]) -> list[str]:
    return [photo.code or "used" for photo in photos]


def test_a_plain_folder_is_used_and_every_field_is_there(album: Album, gather: Gather) -> None:
    album.me(6)
    photos = gather(album.paths)
    assert codes(photos) == ["used"] * 6
    assert [photo.path for photo in photos] == [str(path) for path in album.paths]
    for photo in photos:
        assert photo.used
        assert photo.reason == ""
        assert len(photo.digest) == 64
        assert photo.box == (0, 0, TILE, TILE)
        assert photo.eye_distance == pytest.approx(40, abs=1)
        assert photo.crop is not None and photo.crop.shape == (40, 40, 3)
        assert photo.wide is not None and photo.wide.shape == (80, 80, 3)
        middle = photo.wide[20:60, 20:60].astype(int)
        assert np.abs(middle - photo.crop).mean() < 4
        assert photo.vector is not None and np.linalg.norm(photo.vector) == pytest.approx(1)
        assert photo.attributes is not None and photo.attributes.shape == (40,)
        assert photo.faces == 1
        assert photo.taken is None
    assert {photo.session for photo in photos} <= set(range(6))


def test_every_reason_is_one_line_and_codes_have_words(album: Album, gather: Gather) -> None:
    album.me(6)
    plain = album.faces(ME)
    album.add(b"this is no picture", "text.jpg")
    album.add(np.zeros((TILE, TILE, 3), np.uint8) + np.uint8(0), "night.png")
    album.add(np.full((TILE, TILE // 2, 3), 200, np.uint8), "wall.png")
    album.add(cv2.resize(plain, (24, 24), interpolation=cv2.INTER_AREA), "small.png")
    album.add(cv2.GaussianBlur(plain, (0, 0), 9), "blurred.png")
    album.add((plain * 0.1).astype(np.uint8).clip(1), "dark.png")
    album.add(_turned(album.faces(ME)), "side.png")
    album.add(album.faces(OTHER), "other.png")
    photos = gather(album.paths)[6:]
    assert codes(photos) == [
        "unreadable",
        "dark",
        "no_face",
        "too_small",
        "blurred",
        "dark",
        "extreme_pose",
        "not_you",
    ]
    for photo in photos:
        assert photo.code in CODES
        assert photo.reason
        assert "\n" not in photo.reason
        assert not photo.used
        assert photo.vector is None
        assert photo.session == -1
    assert "8 pixels apart; at least 12" in photos[3].reason
    assert f"{TILE // 2} x {TILE} pixels" in photos[2].reason
    assert not photos[0].reason.startswith("text.jpg")


def _turned(image: np.ndarray) -> np.ndarray:
    image[0, 0] = PROFILE
    return image


def test_the_right_face_of_a_group_is_found(album: Album, gather: Gather) -> None:
    album.me(4)
    album.add(album.faces(FRIEND, ME))
    album.add(album.faces(OTHER, FRIEND, ME))
    album.add(album.faces(ME, OTHER))
    photos = gather(album.paths)
    assert codes(photos) == ["used"] * 7
    assert [photo.box[0] // TILE for photo in photos if photo.box] == [0, 0, 0, 0, 1, 2, 0]
    assert [photo.faces for photo in photos] == [1, 1, 1, 1, 2, 3, 2]


def test_a_couple_is_asked_about(album: Album, gather: Gather) -> None:
    for _ in range(5):
        album.add(album.faces(ME, FRIEND))
    photos = gather(album.paths)
    assert codes(photos) == ["ambiguous"] * 5
    asked: list[tuple[str, list[Face]]] = []

    def ask(path: Path, faces: list[Face]) -> int:
        asked.append((path.name, faces))
        return 1

    photos = gather(album.paths, ask=ask)
    assert codes(photos) == ["used"] * 5
    assert {photo.box[0] for photo in photos if photo.box} == {TILE}
    assert len(asked) == 1
    faces = asked[0][1]
    assert [face.box[0] for face in faces] == [0, TILE]
    assert faces[0].crop.shape == (40, 40, 3)
    assert codes(gather(album.paths, ask=lambda path, faces: None)) == ["ambiguous"] * 5
    assert codes(gather(album.paths, ask=lambda path, faces: 99)) == ["ambiguous"] * 5


def test_copies_are_refused_and_say_of_what(album: Album, gather: Gather) -> None:
    album.me(5)
    first = cv2.imread(str(album.paths[0]))[:, :, ::-1]
    album.add(album.paths[0].read_bytes(), "again.png")
    album.add(cv2.resize(first, (200, 200), interpolation=cv2.INTER_CUBIC), "large.png")
    album.add(np.ascontiguousarray(first[:, ::-1]), "mirrored.png")
    album.add(np.clip(first * 1.1, 0, 255).astype(np.uint8), "lighter.png")
    photos = gather(album.paths)
    assert codes(photos) == ["used"] * 5 + ["same_picture"] * 4
    assert photos[5].reason.startswith("the same picture as 00.png")
    assert photos[6].reason.startswith("nearly the same picture as 00.png")


def test_a_copy_of_a_refused_photo_is_refused_for_the_same_reason(
    album: Album, gather: Gather
) -> None:
    album.me(5)
    other = album.add(album.faces(OTHER))
    album.add(other.read_bytes())
    album.add(b"", "empty.png")
    album.add(b"", "empty too.png")
    photos = gather(album.paths)
    assert codes(photos)[5:] == ["not_you", "not_you", "unreadable", "unreadable"]
    assert photos[5].reason == photos[6].reason
    assert photos[6].path == str(album.paths[6])


def test_the_same_path_twice_is_one_photo(album: Album, gather: Gather) -> None:
    album.me(4)
    assert codes(gather([*album.paths, album.paths[2]])) == ["used"] * 4 + ["same_picture"]


def test_later_photos_are_compared_with_those_enrolled(
    album: Album, gather: Gather, model: Model
) -> None:
    album.me(5)
    enrolled = gather(album.paths)
    known = read_known(known_photos(enrolled).arrays())
    first = cv2.imread(str(album.paths[0]))[:, :, ::-1]
    more = Album(album.folder / "more")
    more.folder.mkdir()
    more.rng = np.random.default_rng(2)
    more.me(1)
    more.add(more.faces(FRIEND))
    more.add(more.faces(FRIEND, ME))
    more.add(album.paths[1].read_bytes(), "same.png")
    more.add(cv2.resize(first, (90, 90), interpolation=cv2.INTER_AREA), "smaller.png")
    for path in album.paths:
        path.unlink()
    model.detector.seen.clear()
    photos = gather(more.paths, known=known)
    assert codes(photos) == ["used", "not_you", "used", "same_picture", "same_picture"]
    assert len(model.detector.seen) == 4  # the same file is not even decoded
    assert photos[2].box is not None and photos[2].box[0] == TILE
    assert "01.png, which is enrolled already" in photos[3].reason
    assert "00.png, which is enrolled already" in photos[4].reason
    everything = known.with_photos(photos).sessions
    assert [photos[0].session, photos[2].session] == everything[5:].tolist()


def test_known_photos_of_another_model_are_refused(album: Album, gather: Gather) -> None:
    album.me(3)
    known = known_photos(gather(album.paths))
    wide = read_known({**known.arrays(), "photo_vectors": np.eye(len(known), 11)})
    with pytest.raises(DataError, match="11 numbers"):
        gather(album.paths, known=wide)


def test_boxes_alone_are_enough(model: Model, strangers: Strangers, album: Album) -> None:
    album.me(4)
    album.add(album.faces(OTHER))
    haar = Model(model.bundle, Tiles(name="haar"))
    photos = gather_photos(album.paths, haar, SPEC, strangers=strangers)
    assert codes(photos) == ["used"] * 4 + ["not_you"]
    assert all(photo.quality and photo.quality.turn < 5 for photo in photos)


def test_the_order_is_that_of_the_paths(album: Album, gather: Gather) -> None:
    album.me(6)
    album.add(album.faces(OTHER))
    photos = gather(album.paths[::-1])
    assert codes(photos) == ["not_you"] + ["used"] * 6
    assert gather([]) == []


def test_what_cannot_be_opened_stops_nothing(album: Album, gather: Gather) -> None:
    album.me(4)
    paths = [*album.paths, album.folder / "missing.jpg", album.folder]
    if hasattr(os, "mkfifo"):
        os.mkfifo(album.folder / "pipe.jpg")
        paths.append(album.folder / "pipe.jpg")
    photos = gather(paths)
    assert set(codes(photos)[4:]) == {"unreadable"}
    assert photos[4].digest == ""


def test_a_model_without_identity_or_strangers_says_so(album: Album, model: Model) -> None:
    album.me(2)
    with pytest.raises(BundleError, match="strangers"):
        gather_photos(album.paths, model, SPEC)
    plain = SimpleNamespace(name="plain", parts={"pooled": (3,)})
    with pytest.raises(BundleError, match="plain has no part 'identity'"):
        gather_photos(album.paths, SimpleNamespace(bundle=plain), SPEC)  # type: ignore[arg-type]


@pytest.mark.real
@pytest.mark.slow
def test_whole_scenes_of_four_people(real_data: Path) -> None:
    """Four people with 21 photos each; a photo of the next one is planted in each folder."""
    from facekit.photos.detect import find_detector

    model = Model(load_bundle(None), find_detector("haar"))  # type: ignore[arg-type]
    folders = sorted((real_data / "wild").iterdir())
    used, planted = 0, []
    for folder, other in zip(folders, folders[1:] + folders[:1], strict=True):
        paths = [*sorted(folder.glob("*.jpg")), sorted(other.glob("*.jpg"))[3]]
        photos = gather_photos(paths, model, SPEC)
        used += sum(photo.used for photo in photos[:-1])
        planted.append(photos[-1].code)
    assert used >= 74
    assert planted.count("not_you") >= 3
