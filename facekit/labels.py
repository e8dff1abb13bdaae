"""Names and order of every label set; no other module spells them.

Arrays of labels, probabilities and head outputs follow the order given here,
never the order in which a folder or a file lists its classes.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ATTRIBUTES", "EMOTIONS", "attribute_index"]

#: The 40 CelebA attributes, in the order of ``list_attr_celeba.txt``
#: (Liu et al., "Deep Learning Face Attributes in the Wild", ICCV 2015).
ATTRIBUTES: Final[tuple[str, ...]] = (
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
)

#: The seven FER-2013 emotions, in the order of the ``emotion`` column of
#: ``fer2013.csv`` (Goodfellow et al., 2013).
EMOTIONS: Final[tuple[str, ...]] = (
    "angry",
    "disgust",
    "fear",
    "happy",
    "sad",
    "surprise",
    "neutral",
)

_ATTRIBUTE_INDEX: Final[dict[str, int]] = {name: i for i, name in enumerate(ATTRIBUTES)}


def attribute_index(name: str) -> int:
    """Column of an attribute.

    Args:
        name: One of ``ATTRIBUTES``.

    Returns:
        Its position in ``[0, 39]``.

    Raises:
        KeyError: The name is not a CelebA attribute.
    """
    return _ATTRIBUTE_INDEX[name]
