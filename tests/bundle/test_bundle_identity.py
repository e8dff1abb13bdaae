"""The identity vector joins both mirror views."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from facekit.bundle.bundle import identity_vectors, join_views, require_part
from facekit.errors import BundleError

RNG = np.random.default_rng(0)


@dataclass
class Sums:
    """Embeds a crop as the sums of its first two columns."""

    name: str = "sums"
    parts: dict[str, tuple[int, ...]] = field(default_factory=lambda: {"identity": (2,)})

    def embed(self, crops: np.ndarray, parts: list[str]) -> dict[str, np.ndarray]:
        assert parts == ["identity"]
        return {"identity": crops[:, :, :2, 0].sum(1).astype(np.float32)}


def test_both_views_count_the_same_whatever_their_length() -> None:
    plain, mirrored = np.float32([[10, 0], [0, 0]]), np.float32([[0, 0.1], [0, 3]])
    half = np.sqrt(0.5)
    np.testing.assert_allclose(join_views(plain, mirrored), [[half, half], [0, 1]], rtol=1e-6)
    assert join_views(plain, mirrored).dtype == np.float32


def test_a_crop_and_its_mirror_image_have_one_vector() -> None:
    crops = RNG.integers(0, 256, (5, 4, 4, 3), np.uint8)
    vectors = identity_vectors(Sums(), crops)
    np.testing.assert_allclose(vectors, identity_vectors(Sums(), crops[:, :, ::-1]), rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)


def test_a_backbone_without_identity_is_refused_in_one_line() -> None:
    with pytest.raises(BundleError, match="sums has no part 'identity'") as caught:
        identity_vectors(Sums(parts={"pooled": (3,)}), np.zeros((1, 4, 4, 3), np.uint8))
    assert "\n" not in str(caught.value)


def test_another_vector_is_joined_the_same_way() -> None:
    class Pooled(Sums):
        def embed(self, crops: np.ndarray, parts: list[str]) -> dict[str, np.ndarray]:
            assert parts == ["pooled"]
            return {"pooled": super().embed(crops, ["identity"])["identity"]}

    crops = RNG.integers(0, 256, (5, 4, 4, 3), np.uint8)
    other = Pooled(parts={"pooled": (2,), "grid": (2, 2, 3)})
    found = identity_vectors(other, crops, "pooled")
    np.testing.assert_array_equal(found, identity_vectors(Sums(), crops))
    for part in ("grid", "mean"):
        with pytest.raises(BundleError, match=f"no vector '{part}': it has pooled"):
            require_part(other, part)
