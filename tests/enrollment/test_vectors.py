"""Views of photos: copies that stay the same, arrays there and back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from facekit.bundle.bundle import Reading, identity_vectors
from facekit.enrollment import vectors as views_module
from facekit.enrollment.photo import Photo
from facekit.enrollment.vectors import PhotoViews, make_views, read_views
from facekit.errors import DataError
from facekit.frame import FaceFrame
from facekit.recipe.enroll import PhotoAugmentSpec


class _Bundle(SimpleNamespace):
    """Embeds a crop as its mean colour."""

    name = "mean"
    parts: ClassVar = {"identity": (3,)}
    frame = FaceFrame(side=32)

    def embed(self, crops: np.ndarray, parts: Any = None) -> dict[str, np.ndarray]:
        return {"identity": crops.mean((1, 2)).astype(np.float32) + 1}


def photo(seed: int, **changes: Any) -> Photo:
    rng = np.random.default_rng(seed)
    known: dict[str, Any] = {
        "path": f"{seed}.jpg",
        "digest": f"{seed:08x}" + "0" * 56,
        "used": True,
        "wide": rng.integers(0, 256, (64, 64, 3), np.uint8),
        "vector": np.array([0, 0, 1], np.float32),
        "attributes": rng.random(40, np.float32),
    }
    return Photo(**(known | changes))


def views(*seeds: int, copies: int = 3) -> PhotoViews:
    spec = PhotoAugmentSpec(copies=copies)
    return make_views(_Bundle(), [photo(s) for s in seeds], spec, seed=0)[0]  # type: ignore[arg-type]


def test_copies_stay_the_same_when_photos_come_and_go() -> None:
    alone, among = views(2), views(1, 2)
    assert among.photo.tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(among.copies[3:], alone.copies)
    assert not np.allclose(among.copies[0], among.copies[1])


def test_joined_views_number_their_photos_on() -> None:
    joined = views(1).join(views(2))
    both = views(1, 2)
    for name in ("plain", "copies", "photo", "attributes"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(both, name))
    own = joined.vectors(np.array([4, 4]))
    assert own.plain.tolist() == [True, True] + [False] * 6
    assert own.photo.tolist() == [0, 1, 0, 0, 0, 1, 1, 1]


def test_no_copies() -> None:
    found = views(1, copies=0)
    assert found.copies.shape == (0, 3)
    assert len(found.vectors(np.zeros(1, np.int64)).vectors) == 1


def test_a_model_without_attributes() -> None:
    spec = PhotoAugmentSpec(copies=1)
    found, _ = make_views(_Bundle(), [photo(1, attributes=None)], spec, seed=0)  # type: ignore[arg-type]
    assert np.isnan(found.attributes).all()


def test_arrays_there_and_back() -> None:
    found = views(1, 2)
    again = read_views({**found.arrays(), "other": np.zeros(1)})
    np.testing.assert_array_equal(again.copies, found.copies)
    np.testing.assert_array_equal(again.photo, found.photo)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("view_copies", np.zeros((6, 4))),
        ("view_photo", np.full(6, 2)),
        ("view_attributes", np.zeros((1, 40))),
        ("view_plain", np.zeros(3)),
    ],
)
def test_arrays_that_do_not_fit(name: str, value: np.ndarray) -> None:
    arrays = views(1, 2).arrays()
    with pytest.raises(DataError, match="does not fit together: enrol again"):
        read_views({**arrays, name: value})
    del arrays[name]
    with pytest.raises(DataError, match="says nothing of its photos"):
        read_views(arrays)


def test_only_used_photos() -> None:
    with pytest.raises(DataError, match="only photos that are used"):
        make_views(_Bundle(), [photo(1, wide=None)], PhotoAugmentSpec(), seed=0)  # type: ignore[arg-type]


class _Reader(SimpleNamespace):
    """A network without identity: reads colours of crops in a frame of its own."""

    name = "reader"
    parts: ClassVar = {"pooled": (3,)}
    frame = FaceFrame(side=32)
    heads: ClassVar = {"attributes": None}

    def embed(self, crops: np.ndarray, parts: Any = None) -> dict[str, np.ndarray]:
        assert parts == ["pooled"]
        return {"pooled": crops[:, :, :8].mean((1, 2)).astype(np.float32)}

    def read_views(self, crops: np.ndarray, heads: list[str], mirrored: list[str]) -> Reading:
        one, other = (self.embed(view, mirrored) for view in (crops, crops[:, :, ::-1]))
        rows = np.repeat(one["pooled"][:, :1] / 255, 40, 1)
        return Reading(one, other, dict.fromkeys(heads, rows))


def crop(seed: int) -> np.ndarray:
    return np.random.default_rng([9, seed]).integers(0, 256, (32, 32, 3), np.uint8)


def test_another_part_is_read_from_the_crops() -> None:
    reader: Any = _Reader()
    people = [photo(seed, crop=crop(seed)) for seed in (1, 2)]
    found, _ = make_views(reader, people, PhotoAugmentSpec(copies=2), seed=0, part="pooled")
    crops = np.stack([crop(1), crop(2)])
    np.testing.assert_allclose(found.plain, identity_vectors(reader, crops, "pooled"), rtol=1e-6)
    assert found.copies.shape == (4, 3)
    np.testing.assert_allclose(found.attributes[:, 0], crops[:, :, :8, 0].mean((1, 2)) / 255)
    blind: Any = _Reader(heads={})
    unknown, _ = make_views(blind, people, PhotoAugmentSpec(copies=0), seed=0, part="pooled")
    assert np.isnan(unknown.attributes).all()


def test_thousands_of_copies_come_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, people, bundle = PhotoAugmentSpec(copies=20), [photo(s) for s in (1, 2, 3)], _Bundle()
    whole, pictures = make_views(bundle, people, spec, seed=0)  # type: ignore[arg-type]
    assert pictures.shape == (3 * 16, 32, 32, 3), "pictures of the first copies are enough"
    seen: list[int] = []
    embed = _Bundle.embed

    def counted(self: Any, crops: np.ndarray, parts: Any = None) -> dict[str, np.ndarray]:
        seen.append(len(crops))
        return embed(self, crops, parts)

    monkeypatch.setattr(_Bundle, "embed", counted)
    monkeypatch.setattr(views_module, "_TOGETHER", 30)
    blocks, shown = make_views(bundle, people, spec, seed=0)  # type: ignore[arg-type]
    assert seen == [20, 20] * 3
    np.testing.assert_array_equal(blocks.copies, whole.copies)
    np.testing.assert_array_equal(shown, pictures)
