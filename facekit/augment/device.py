"""Augmentation of whole batches in JAX: the distribution of ``augment.batches``, on the device.

The same switches, draws and order of steps, one array operation for all images of a
batch. Down-up scaling and blur are linear along each axis, so each image has one small
matrix for both, from tables that OpenCV itself fills.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from facekit.arrays import AnyArray, Float32
from facekit.recipe.schema import AugmentSpec, MixSpec

#: What an ``AugmentSpec`` says, in this order, as one row of numbers.
KEYS = tuple(AugmentSpec.model_fields)
_BLURS = 32  # widths of the blur that there are; on the host any number


def strengths(specs: Sequence[AugmentSpec]) -> Float32:
    """Numbers of n specifications: float32 array of shape (n, len(KEYS))."""
    return np.array([[getattr(spec, key) for key in KEYS] for spec in specs], np.float32)


def resampling(side: int) -> dict[str, Float32]:
    """Matrices that scale down and up, and that blur, along one axis.

    Args:
        side: Of the crops.

    Returns:
        ``scale`` (1 + 2 * sizes, side, side): nothing, then up by cubes from every
        size, then up by lines; ``blur`` (1 + widths, side, side).
    """
    unit = np.eye(side, dtype=np.float32)
    scale: list[AnyArray] = [unit]
    blur: list[AnyArray] = [unit]
    for up in (cv2.INTER_CUBIC, cv2.INTER_LINEAR):
        for small in range(_smallest(side), max(8, round(side * 0.8)) + 1):
            down = cv2.resize(unit, (side, small), interpolation=cv2.INTER_AREA)
            scale.append(cv2.resize(down, (side, side), interpolation=up))
    for share in (np.arange(_BLURS) + 0.5) / _BLURS:
        sigma = (0.4 + share) * side / 80
        kernel = cv2.getGaussianKernel(round(sigma * 6 + 1) | 1, sigma)  # as for 8 bits
        blur.append(cv2.sepFilter2D(unit, -1, np.ones((1, 1)), kernel))  # one axis alone
    return {"scale": np.stack(scale, dtype=np.float32), "blur": np.stack(blur, dtype=np.float32)}


def _smallest(side: int) -> int:
    return max(8, round(side * 0.3))


class Draws:
    """Random numbers, one an image and call.

    Args:
        key: A JAX key.
        count: n, images of the batch.
    """

    def __init__(self, key: Any, count: int) -> None:
        self._key, self.count, self._made = key, count, 0

    def key(self) -> Any:
        """A key that no other draw has."""
        self._made += 1
        return jax.random.fold_in(self._key, self._made)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, columns: int = 0) -> Any:
        """Numbers in [low, high), of shape (n,) or (n, columns)."""
        shape = (self.count, columns) if columns else (self.count,)
        return low + (high - low) * jax.random.uniform(self.key(), shape)

    def either(self, amount: Any) -> Any:
        """Numbers in plus or minus an amount."""
        return self.uniform(-1.0, 1.0) * amount

    def happens(self, share: Any) -> Any:
        """Whether it does, with a probability."""
        return self.uniform() < share


def augment(
    crops: Any, key: Any, numbers: Any, tables: dict[str, Any], switched: frozenset[str]
) -> Any:
    """Augment every crop of a batch on its own.

    Args:
        crops: uint8 RGB array of shape (n, side, side, 3).
        key: A JAX key; everything follows from it.
        numbers: From ``strengths``: one row for all, or n.
        tables: From ``resampling``.
        switched: The keys that are above zero; no other step is compiled.

    Returns:
        Whole numbers in [0, 255], float32 array of the same shape.
    """
    draws = Draws(key, crops.shape[0])
    spec = {name: numbers[:, i] for i, name in enumerate(KEYS)}
    out = _warped(crops, spec, draws, switched)
    if switched & {"low_resolution", "blur"}:
        out = _resampled(out, spec, draws, tables)
    out = _coloured(out, spec, draws, switched)
    if "brightness" in switched:
        out = jnp.round(jnp.clip(out + 255 * _pixels(draws.either(spec["brightness"])), 0, 255))
    if "noise" in switched:
        sigma = jnp.where(draws.happens(spec["noise"]), draws.uniform(2.0, 10.0), 0.0)
        noise = jax.random.normal(draws.key(), (*out.shape[:3], 1))
        out = jnp.floor(jnp.clip(out + _pixels(sigma) * noise, 0, 255))
    if "erase" in switched:
        out = _erased(out, spec["erase"], draws)
    return out


def _pixels(values: Any) -> Any:
    """One number an image, to be spread over its pixels."""
    return values[:, None, None, None]


def _warped(crops: Any, spec: dict[str, Any], draws: Draws, switched: frozenset[str]) -> Any:
    """Mirror, rotation, zoom, stretch, shift and the tight box in one look-up."""
    if not switched & {"mirror", "rotation", "zoom", "stretch", "shift", "tighten"}:
        return crops.astype(jnp.float32)
    side = crops.shape[1]
    x, y = _sources(side, spec, draws)
    x, y = (jnp.clip(place, 0, side - 1) for place in (x, y))  # the edge is repeated
    x, y = jax.lax.optimization_barrier((x, y))  # else worked out again for every corner
    left, top = jnp.floor(x), jnp.floor(y)
    i, j = top.astype(jnp.int32), left.astype(jnp.int32)
    below, right = jnp.minimum(i + 1, side - 1), jnp.minimum(j + 1, side - 1)
    # One 32-bit word a pixel: a look-up then fetches all its colours at once.
    words = crops.astype(jnp.uint32)
    words = (words[..., 0] | (words[..., 1] << 8) | (words[..., 2] << 16)).ravel()
    first = (jnp.arange(len(crops)) * side * side)[:, None, None]
    places = [first + rows * side + columns for rows in (i, below) for columns in (j, right)]
    corners = [words.at[place].get(mode="promise_in_bounds") for place in places]
    corners = jax.lax.optimization_barrier(corners)  # and these for every colour
    planes = []
    for bits in (0, 8, 16):
        a, b, c, d = (((word >> bits) & 255).astype(jnp.float32) for word in corners)
        upper, lower = a + (x - left) * (b - a), c + (x - left) * (d - c)
        planes.append(jnp.round(upper + (y - top) * (lower - upper)))
    return jnp.stack(planes, -1)


def _sources(side: int, spec: dict[str, Any], draws: Draws) -> tuple[Any, Any]:
    """Where every pixel comes from: two arrays of shape (n, side, side)."""
    angle = jnp.deg2rad(draws.either(spec["rotation"]))
    zoom = jnp.exp(draws.either(jnp.log1p(spec["zoom"])))
    stretch = jnp.exp(draws.either(jnp.log1p(spec["stretch"])) / 2)
    flip = jnp.where(draws.happens(spec["mirror"]), -1.0, 1.0)
    cos, sin = jnp.cos(angle) / zoom, jnp.sin(angle) / zoom
    # The inverse of augment.batches' matrix, whose determinant is flip * zoom ** 2.
    a, b, c, d = flip * cos / stretch, flip * sin / stretch, -sin * stretch, cos * stretch
    shift = [draws.either(spec["shift"]) * side for _ in "xy"]
    tight = draws.happens(spec["tighten"])
    box = [jnp.where(tight, jnp.floor(draws.uniform(0.0, 0.14) * side), 0.0) for _ in range(4)]
    line, middle = jnp.arange(side, dtype=jnp.float32)[None], (side - 1) / 2
    columns = jnp.clip(line, box[0][:, None], side - 1 - box[1][:, None])
    rows = jnp.clip(line, box[2][:, None], side - 1 - box[3][:, None])
    across = (columns - middle - shift[0][:, None])[:, None, :]
    down = (rows - middle - shift[1][:, None])[:, :, None]
    a, b, c, d = (value[:, None, None] for value in (a, b, c, d))
    return a * across + b * down + middle, c * across + d * down + middle


def _resampled(images: Any, spec: dict[str, Any], draws: Draws, tables: dict[str, Any]) -> Any:
    """Lower resolution, then blur."""
    side = images.shape[1]
    sizes, first = (len(tables["scale"]) - 1) // 2, _smallest(side)
    small = jnp.round(side * draws.uniform(0.3, 0.8)).astype(jnp.int32)
    small = jnp.clip(small - first, 0, sizes - 1) + jnp.where(draws.happens(0.5), 0, sizes)
    small = jnp.where(draws.happens(spec["low_resolution"]), 1 + small, 0)
    width = 1 + jnp.floor(draws.uniform() * _BLURS).astype(jnp.int32)
    width = jnp.where(draws.happens(spec["blur"]), width, 0)
    matrix = tables["blur"][width] @ tables["scale"][small]
    out = jnp.einsum("nij,njkc->nikc", matrix, images)
    out = jnp.einsum("nkj,nijc->nikc", matrix, out)
    return jnp.round(jnp.clip(out, 0, 255))


def _coloured(images: Any, spec: dict[str, Any], draws: Draws, switched: frozenset[str]) -> Any:
    """Grey or tinted, then brightness, contrast and gamma."""
    grey = draws.happens(spec["grey"])
    if "colour" in switched:
        gain = 1 + draws.uniform(-1.0, 1.0, columns=3) * spec["colour"][:, None]
        tinted = jnp.floor(jnp.clip(images * gain[:, None, None, :], 0, 255))
        images = jnp.where(_pixels(grey), images, tinted)
    if "grey" in switched:
        light = images @ jnp.array([[0.299], [0.587], [0.114]])
        images = jnp.where(_pixels(grey), jnp.round(light), images)
    if "light" in switched:
        strength = 1.2 * spec["light"]
        gamma, contrast = jnp.exp(draws.either(strength)), 1 + draws.either(strength)
        offset = draws.either(strength / 2)
        curve = (images / 255) ** _pixels(gamma) - 0.5
        curve = curve * _pixels(contrast) + 0.5 + _pixels(offset)
        images = jnp.floor(jnp.clip(curve * 255, 0, 255))
    return images


def _erased(images: Any, share: Any, draws: Draws) -> Any:
    """A box of 4 to 15 % of the area in one colour."""
    side = images.shape[1]
    area, ratio = draws.uniform(0.04, 0.15), jnp.exp(draws.either(0.7))
    colour = jnp.floor(draws.uniform(0.0, 256.0, columns=3))
    inside = _pixels(draws.happens(share))
    for axis, extent in ((1, area * ratio), (2, area / ratio)):
        length = jnp.clip(jnp.floor(side * jnp.sqrt(extent)), 1, side - 1)
        begin = jnp.floor(draws.uniform() * (side - length))
        line = jnp.arange(side, dtype=jnp.float32)[None]
        within = (line >= begin[:, None]) & (line < (begin + length)[:, None])
        inside &= within[:, :, None, None] if axis == 1 else within[:, None, :, None]
    return jnp.where(inside, colour[:, None, None, :], images)


# MixUp and CutMix, as Keras' own layers have them; their numbers are drawn on the host.


def mixing_draws(
    spec: MixSpec, rng: np.random.Generator, steps: int, size: int
) -> dict[str, AnyArray]:
    """What is random about the mixing of some batches.

    Args:
        spec: Which of the two, how strong and how often.
        rng: Source of all randomness.
        steps: Batches.
        size: n, images of each.

    Returns:
        ``kind`` (steps,): 0 leaves a batch alone, 1 is MixUp, 2 CutMix; ``partner``
        (steps, n): the other image; ``own`` (steps, n): share of the image itself;
        ``corner`` (steps, n, 2): where the box lies, in [0, 1) of the room it has.
    """
    alphas = {kind: a for kind, a in ((1, spec.mixup), (2, spec.cutmix)) if a}
    kind = rng.choice(list(alphas), steps)
    own = np.stack([rng.beta(alphas[one], alphas[one], size) for one in kind.tolist()])
    return {
        "kind": np.where(rng.random(steps) < spec.share, kind, 0).astype(np.int32),
        "partner": rng.random((steps, size)).argsort(axis=1).astype(np.int32),
        "own": own.astype(np.float32),
        "corner": rng.random((steps, size, 2), np.float32),
    }


def mix(images: Any, targets: dict[str, Any], draws: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Mix a batch with itself in another order.

    Args:
        images: float array of shape (n, side, side, 3).
        targets: Arrays of shape (n, k), by output.
        draws: One step of ``mixing_draws``.

    Returns:
        Whole numbers of the same shape, and the targets in the same shares.
    """
    side, own, partner = images.shape[1], draws["own"], draws["partner"]
    length = side * jnp.sqrt(1 - own)
    begin = draws["corner"] * (side - length)[:, None]
    line = jnp.arange(side, dtype=jnp.float32)
    inside = (line >= begin[..., None]) & (line < (begin + length[:, None])[..., None])
    box = inside[:, 0, :, None, None] & inside[:, 1, None, :, None]
    # The share of either is ``own``: a box has 1 - own of the area.
    taken = jnp.where(draws["kind"] == 2, box, _pixels(1 - own))
    taken = jnp.where(draws["kind"] == 0, 0.0, taken)
    given = jnp.where(draws["kind"] == 0, 0.0, 1 - own)[:, None]
    out = jnp.round(images + taken * (images[partner] - images))
    return out, {name: v + given * (v[partner] - v) for name, v in targets.items()}
