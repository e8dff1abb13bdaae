"""Truth: the 40 CelebA attributes of one drawing, read from what is drawn."""

from __future__ import annotations

from facekit.cartoon.face import brow_height, high_cheeks
from facekit.cartoon.person import Look, Person
from facekit.labels import ATTRIBUTES


def attributes(person: Person, look: Look) -> dict[str, bool]:
    """Attributes of a person in a photo.

    What cannot be seen does not count: no eye bags behind sunglasses, no bangs
    and no bald head under a hat. "Attractive", a judgement in CelebA, is here a
    rule: young, and none of chubby, double chin, eye bags, big nose, bald,
    blurry.

    Args:
        person: Who is drawn.
        look: How.

    Returns:
        All names of ``ATTRIBUTES``, in their order.
    """
    seen = _hair(person, look) | _face(person, look) | _worn(person, look)
    seen["Blurry"] = look.blur > 0
    seen["Male"] = person.male
    seen["Young"] = person.young
    spoilt = ("Chubby", "Double_Chin", "Bags_Under_Eyes", "Big_Nose", "Bald", "Blurry")
    seen["Attractive"] = person.young and not any(seen[name] for name in spoilt)
    return {name: bool(seen[name]) for name in ATTRIBUTES}


def _hair(person: Person, look: Look) -> dict[str, bool]:
    bald = person.hair_style == "bald"
    top = look.hat is None  # only then the top of the head is seen
    hairy = not bald
    beard = look.beard
    return {
        "Bald": bald and top,
        "Bangs": person.bangs and top,
        "Black_Hair": hairy and person.hair_name == "black",
        "Blond_Hair": hairy and person.hair_name == "blond",
        "Brown_Hair": hairy and person.hair_name == "brown",
        "Gray_Hair": hairy and person.hair_name == "gray",
        "Straight_Hair": hairy and person.hair_wave == 0 and (top or person.hair_style != "short"),
        "Wavy_Hair": hairy and person.hair_wave > 0 and (top or person.hair_style != "short"),
        "Receding_Hairline": person.receding and top,
        "5_o_Clock_Shadow": beard == "stubble",
        "Goatee": beard == "goatee",
        "Mustache": beard in ("mustache", "full"),
        "No_Beard": beard == "none",
        "Sideburns": person.sideburns,
    }


def _face(person: Person, look: Look) -> dict[str, bool]:
    face = look.expression
    eyes = look.glasses != "sun"
    return {
        "Arched_Eyebrows": brow_height(person, look) > 0.10,
        "Bushy_Eyebrows": person.brow_thick > 0.11,
        "Bags_Under_Eyes": person.eye_bags and eyes,
        "Narrow_Eyes": eyes and person.eye_h * face.eye_open < 0.40 * person.eye_w,
        "Big_Lips": person.lip_low > 0.125,
        "Big_Nose": person.nose_w > 0.30,
        "Pointy_Nose": person.nose_point > 0.5,
        "Chubby": person.chubby,
        "Double_Chin": person.double_chin,
        "High_Cheekbones": high_cheeks(person, look),
        "Oval_Face": person.oval,
        "Pale_Skin": person.pale,
        "Rosy_Cheeks": look.blush,
        "Smiling": face.corner < -0.07,
        "Mouth_Slightly_Open": face.gap > 0.02,
    }


def _worn(person: Person, look: Look) -> dict[str, bool]:
    return {
        "Eyeglasses": look.glasses is not None,
        "Heavy_Makeup": look.makeup is not None,
        "Wearing_Earrings": look.earrings is not None,
        "Wearing_Hat": look.hat is not None,
        "Wearing_Lipstick": look.lipstick is not None,
        "Wearing_Necklace": look.necklace is not None,
        "Wearing_Necktie": look.tie is not None,
    }
