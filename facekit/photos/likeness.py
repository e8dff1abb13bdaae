"""How alike two crops are: a short descriptor to find pairs, a measure to verify them.

The descriptor holds the low frequencies that perceptual hashes are cut from
(Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions",
2010), as numbers instead of bits: a plain matrix product then compares all pairs
and misses none near a bit's edge. What all faces share is taken out of it, else
every face is like every other. Many strangers share the light of a studio, so a
pair counts only once its fine detail agrees too, shifted and scaled to fit.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from facekit.arrays import Float32, UInt8

#: Side of the picture that the descriptor is taken from, and frequencies kept.
_SMALL: Final = 16
_FREQUENCIES: Final = 8
#: Side of the picture whose detail is compared; FER-2013 has no finer one.
_SIDE: Final = 48
#: How far a copy may be shifted, in pixels of 48.
_SHIFT: Final = 6
_SCALES: Final = (0.9, 0.95, 1.05, 1.1)
#: Blur whose difference from the picture is its detail, in pixels of 48.
_BLUR: Final = 3.0
#: Pictures with less detail (root mean square, of 255) have nothing to compare.
_FLAT: Final = 1.5
#: A pair this far below at its own scale is not tried at others.
_HOPELESS: Final = 0.5

#: Directions kept when descriptors are evened out, and the power of their
#: covariance: of those tried (32 to 63; 0.4 to 0.8), these let the fewest other
#: pairs of FER-2013 pass with 95 % of the copies.
_KEPT: Final = 48
_POWER: Final = -0.35
#: Few crops do not know what faces share: as if so many more had been seen whose
#: power falls with the square of the frequency, as that of photographs does.
_UNSEEN: Final = 100

_ROWS, _COLUMNS = np.mgrid[:_FREQUENCIES, :_FREQUENCIES]
_POWER_OF_PHOTOS: Final = 1 / (_ROWS**2 + _COLUMNS**2).ravel()[1:]
#: What mirroring left to right does to a descriptor: odd columns change sign.
MIRROR_SIGNS: Final[Float32] = np.where(_COLUMNS % 2, -1, 1).ravel()[1:].astype(np.float32)


def describe(crop: UInt8) -> Float32:
    """Low frequencies of the brightness, without its mean, of length 1.

    Args:
        crop: uint8 RGB array of shape (side, side, 3).

    Returns:
        float32 array of shape (63,); zeros for a blank crop.
    """
    small = cv2.resize(_grey(crop), (_SMALL, _SMALL), interpolation=cv2.INTER_AREA)
    waves = cv2.dct(small.astype(np.float32))[:_FREQUENCIES, :_FREQUENCIES]
    values = waves.ravel()[1:].astype(np.float32)
    length = float(np.linalg.norm(values))
    return values / length if length > 1 else np.zeros_like(values)


def even_out(described: Float32) -> Float32:
    """Take out of descriptors what they share, so that the rest tells them apart.

    Args:
        described: float32 array of shape (n, 63), from ``describe``.

    Returns:
        float32 array of shape (n, 63), of length 1 or 0; signs mirror as before.
    """
    n, even = len(described), MIRROR_SIGNS > 0
    centred = described - np.where(even, described.sum(0) / (n + _UNSEEN), 0).astype(np.float32)
    prior = _UNSEEN * np.diag(_POWER_OF_PHOTOS / _POWER_OF_PHOTOS.sum())
    shared = (centred.T @ centred).astype(np.float64) * (even == even[:, None]) + prior
    power, direction = np.linalg.eigh(shared / (n + _UNSEEN))
    power, direction = power[-_KEPT:], direction[:, -_KEPT:]
    out: Float32 = centred @ ((direction * power**_POWER) @ direction.T).astype(np.float32)
    length = np.linalg.norm(out, axis=1, keepdims=True)
    return np.where(described.any(1, keepdims=True), out / np.maximum(length, 1e-6), 0)


def detail(crop: UInt8) -> tuple[Float32, Float32]:
    """The brightness at 48 pixels, and what is left of it without its blur.

    Args:
        crop: uint8 RGB array of shape (side, side, 3).

    Returns:
        Two float32 arrays of shape (48, 48).
    """
    grey = cv2.resize(_grey(crop), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    plain: Float32 = grey.astype(np.float32)
    return plain, _sharp(plain)


def fit_correlation(one: Float32, other: Float32) -> float:
    """Correlation of the detail of two pictures, the second one fitted to the first.

    The middle of the second picture (36 of 48 pixels) is shifted by up to 6
    pixels and scaled by up to 10 %; the best fit counts.

    Args:
        one: Second result of ``detail``, float32 (48, 48).
        other: First result of ``detail``, float32 (48, 48).

    Returns:
        In [-1, 1]; 0 where a picture has no detail.
    """
    if min(_spread(one), _spread(_sharp(other))) < _FLAT:
        return 0.0
    best = _best_shift(one, other)
    if best < _HOPELESS:
        return best
    middle = (_SIDE - 1) / 2
    for scale in _SCALES:
        edge = (1 - scale) * middle
        matrix = np.array([[scale, 0, edge], [0, scale, edge]])
        fitted = cv2.warpAffine(
            other, matrix, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        best = max(best, _best_shift(one, fitted))  # type: ignore[arg-type]
    return best


def _best_shift(one: Float32, other: Float32) -> float:
    middle = _sharp(other)[_SHIFT:-_SHIFT, _SHIFT:-_SHIFT]
    return float(cv2.matchTemplate(one, middle, cv2.TM_CCOEFF_NORMED).max())


def _sharp(plain: Float32) -> Float32:
    return plain - cv2.GaussianBlur(plain, (0, 0), _BLUR)


def _spread(sharp: Float32) -> float:
    middle = sharp[_SHIFT:-_SHIFT, _SHIFT:-_SHIFT]
    return float(np.sqrt((middle**2).mean()))


def _grey(crop: UInt8) -> UInt8:
    return cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)  # type: ignore[return-value]


# What a whole photo looks like, in numbers that show neither faces nor things.
#
# Two photos of one occasion share walls, light and clothes. Of 3,120 pairs of
# photos of one person (12 people of LFW, 4 of CelebA unaligned) the 19 that share
# their colours most (``colours`` 0.86 and more) were looked at: next to all show
# the same clothes or the same room. Of pairs of different people, 0.1 % share so
# much.

#: Numbers of ``describe_colours``.
COLOURS: Final = 256
#: Side of the picture that is looked at.
#: Cells of lightness, green to red and blue to yellow in CIELAB, and their range
#: in OpenCV's 8 bits: photographs have no stronger colours than these.
_CELLS: Final = (4, 8, 8)
_RANGE: Final = (0, 256, 88, 168, 88, 168)
#: Least spread of colours (CIELAB, 8 bits) among pixels of one lightness. Around the faces
#: of the photos above it is 3.96 and more; of the same in strong sepia, 3.61 and less.
_TINTED: Final = 3.8


def describe_scene(rgb: UInt8) -> Float32:
    """Where a photo is light and dark, coarsely.

    Args:
        rgb: uint8 RGB array of shape (height, width, 3).

    Returns:
        float32 array of shape (63,) and length 1, or zeros for a blank photo; the
        product of two is 1 for the same photo, however large it is.
    """
    return describe(_small(rgb))


def describe_colours(rgb: UInt8) -> Float32:
    """Which colours a photo has, wherever they are.

    Args:
        rgb: uint8 RGB array of shape (height, width, 3).

    Returns:
        float32 array of shape (``COLOURS``,): roots of the shares of colours, so
        that the product of two is Bhattacharyya's coefficient, in [0, 1].
    """
    lab = cv2.cvtColor(_small(rgb), cv2.COLOR_RGB2LAB)
    counts = cv2.calcHist([lab], [0, 1, 2], None, list(_CELLS), list(_RANGE)).ravel()
    return np.sqrt(np.asarray(counts / max(float(counts.sum()), 1.0), np.float32))


def has_colours(rgb: UInt8) -> bool:
    """Whether a photo has colours of its own: black and white, sepia or tinted ones have none.

    In those the colour follows from the lightness alone.

    Args:
        rgb: uint8 RGB array of shape (height, width, 3).
    """
    lab = cv2.cvtColor(_small(rgb), cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float32)
    shades = np.unique(lab[:, 0] // 16, return_inverse=True)[1].ravel()
    size = np.bincount(shades)
    spread = [
        np.bincount(shades, row**2) / size - (np.bincount(shades, row) / size) ** 2
        for row in lab[:, 1:].T
    ]
    return bool((np.sum(spread, 0) * size).sum() / len(lab) >= _TINTED**2)


def _small(rgb: UInt8) -> UInt8:
    return cv2.resize(rgb, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
