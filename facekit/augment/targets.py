"""What a mixed image is told: the targets of two images, in their shares.

Every mixer forms weighted sums of two rows. ``summands`` makes targets of which such
sums can be taken, ``joined`` makes targets of the sums. Both know NumPy's arrays and
JAX's, also within a program.
"""

from __future__ import annotations

from typing import Any, Final

#: From this share on, the image that is known speaks for the mixed one: what is hardly
#: mixed (a Beta distribution with a small alpha has much of it) keeps its target.
_KNOWN: Final = 0.999
_SUFFIX: Final = "_known"


def summands(wanted: dict[str, Any]) -> dict[str, Any]:
    """Targets with zeros where they are unknown, and beside them what is known.

    Args:
        wanted: Arrays of shape (n, k), by output. Of ``attributes`` -1 is unknown, of
            ``identity`` a row of zeros; others are known.

    Returns:
        float32 arrays of shape (n, any), by name.
    """
    parts = dict(wanted)
    if (labels := wanted.get("attributes")) is not None:
        known = (labels >= 0).astype("float32")
        parts |= {"attributes": labels * known, "attributes" + _SUFFIX: known}
    if (vectors := wanted.get("identity")) is not None:
        parts["identity" + _SUFFIX] = _long(vectors)
    return parts


def joined(sums: dict[str, Any]) -> dict[str, Any]:
    """Targets of mixed images.

    Attributes are soft: the shares of a yes. An identity is the sum as a unit vector:
    it has the smallest mean of 1 - cosine to both, and a shorter one could not be met by
    the similarities of a network's own unit vectors. Two that cancel out are none.
    What is unknown of either image is unknown of the mixed one.

    Args:
        sums: Of the rows of ``summands``, with weights that sum to 1.

    Returns:
        Arrays by output, unknown marked as in what was mixed.
    """
    out = {name: value for name, value in sums.items() if not name.endswith(_SUFFIX)}
    if "attributes" in out:
        share = sums["attributes" + _SUFFIX]
        known = (share > _KNOWN).astype("float32")
        out["attributes"] = known * out["attributes"] / (known * share + (1 - known)) - (1 - known)
    if "identity" in out:
        vectors = out["identity"]
        known = (sums["identity" + _SUFFIX] > _KNOWN).astype("float32") * _long(vectors)
        length = (vectors**2).sum(1, keepdims=True) ** 0.5
        out["identity"] = known * vectors / (known * length + (1 - known))
    return out


def _long(vectors: Any) -> Any:
    """Whether vectors are more than nothing, (n, 1)."""
    return ((vectors**2).sum(1, keepdims=True) > 1e-6).astype("float32")
