"""What the layers on a backbone begin with when it is trained on.

Fine-tuning from a fitted head forgets less: Kumar et al., "Fine-Tuning can Distort
Pretrained Features", ICLR 2022.
"""

from __future__ import annotations

import sys

from facekit.bundle.bundle import Bundle
from facekit.features.extract import extract
from facekit.heads.fit import fit_logistic, standardise
from facekit.heads.head import Head
from facekit.heads.linear import LinearHead
from facekit.heads.mlp import MlpHead
from facekit.recipe.transfer import TransferRecipe
from facekit.workflows.class_data import ClassData

__all__ = ["choose_start"]

#: Strength of the fitted head for each training row; any good start will do.
_L2 = 0.1


def choose_start(
    bundle: Bundle, data: ClassData, recipe: TransferRecipe, part: str, size: int
) -> Head | None:
    """The bundle's own head where the layers on top are like it, else a linear one.

    Args:
        bundle: Whose backbone is trained on.
        data: The classes.
        recipe: Its ``top``.
        part: What the layers read.
        size: How many numbers that is.

    Returns:
        The head; None where no fitted one has these layers, which is told on standard
        error.
    """
    if recipe.top is not None:
        wanted = [size, *recipe.top.widths, len(data.names)]
        for head in bundle.heads.values():
            if head.labels == data.names and head.parts == (part,) and _sizes(head) == wanted:
                return head
        if recipe.top.widths or bundle.parts.get(part) != (size,):
            sys.stderr.write(
                f"{bundle.name} has no head of {' to '.join(map(str, wanted))} numbers for these "
                "classes: the layers on top begin at random\n"
            )
            return None
    x = extract(data.crops, bundle, parts=[part], rows=data.train)[part]
    mean, scale = standardise(x)
    weight, bias = fit_logistic(
        (x - mean) / scale, data.labels[data.train], l2=_L2 * len(x), classes=len(data.names)
    )
    return LinearHead(
        parts=(part,),
        labels=data.names,
        weight=weight,
        bias=bias,
        mean=mean,
        scale=scale,
        activation="softmax",
    )


def _sizes(head: Head) -> list[int]:
    """Numbers from layer to layer; nothing where it is no chain of dense layers."""
    if head.channels or not isinstance(head, (LinearHead, MlpHead)):
        return []
    weights = [head.weight] if isinstance(head, LinearHead) else [w for w, _ in head.layers]
    return [weights[0].shape[0], *(weight.shape[1] for weight in weights)]
