"""Names and order of every label set; no other module spells them.

Arrays of labels, probabilities and head outputs follow the order given here,
never the order in which a folder or a file lists its classes.
"""

from __future__ import annotations

import unicodedata
from typing import Final

#: The 40 CelebA attributes, in the order of ``list_attr_celeba.txt``
#: (Liu et al., "Deep Learning Face Attributes in the Wild", ICCV 2015).
ATTRIBUTES: Final[tuple[str, ...]] = (
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs",
    "Big_Lips", "Big_Nose", "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows",
    "Chubby", "Double_Chin", "Eyeglasses", "Goatee", "Gray_Hair", "Heavy_Makeup",
    "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache", "Narrow_Eyes", "No_Beard",
    "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks", "Sideburns",
    "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat",
    "Wearing_Lipstick", "Wearing_Necklace", "Wearing_Necktie", "Young",
)  # fmt: skip

#: The seven FER-2013 emotions, in the order of the ``emotion`` column of
#: ``fer2013.csv`` (Goodfellow et al., 2013).
EMOTIONS: Final[tuple[str, ...]] = (
    "angry", "disgust", "fear", "happy", "sad", "surprise", "neutral",
)  # fmt: skip

#: Six emotions, as facekit's ancestor that read TFRecords numbered them: "natural" is
#: neutral, and fear is none of them.
SIX_EMOTIONS: Final[tuple[str, ...]] = ("angry", "disgust", "happy", "natural", "sad", "surprise")

#: What other emotion sets have besides the seven: CK+'s and FER+'s contempt, and
#: FER+'s columns for "cannot tell" and "not a face".
NOT_OURS: Final[frozenset[str]] = frozenset({"contempt", "unknown", "nf"})

#: The seven as CK+, FER+, JAFFE, KDEF, RAF-DB and their copies spell them.
_OTHER_NAMES: Final[dict[str, str]] = {
    "anger": "angry", "disgusted": "disgust", "afraid": "fear", "fearful": "fear",
    "happiness": "happy", "joy": "happy", "sadness": "sad", "surprised": "surprise",
    "natural": "neutral", "neutrality": "neutral",
}  # fmt: skip
_EMOTION_INDEX: Final[dict[str, int]] = {name: i for i, name in enumerate(EMOTIONS)} | {
    other: EMOTIONS.index(name) for other, name in _OTHER_NAMES.items()
}
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


def emotion_index(name: str) -> int:
    """Position of an emotion, by its own name or a usual other one.

    Args:
        name: One of ``EMOTIONS`` or such as "anger", "Happiness" or "natural"; case
            and surrounding blanks do not count.

    Returns:
        Its position in ``[0, 6]``.

    Raises:
        KeyError: The name is none of the seven (contempt is not).
    """
    return _EMOTION_INDEX[name.strip().casefold()]


def plain_class(name: str) -> str:
    """A class name to compare: an emotion by its own name, any other composed, without case.

    Args:
        name: Of anybody's own, such as "Glasses", or an emotion in a usual spelling.
    """
    try:
        return EMOTIONS[emotion_index(name)]
    except KeyError:
        return unicodedata.normalize("NFC", name).strip().casefold()
