"""What a network learns from its teachers, as outputs and losses beside its own.

Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015.
"""

from __future__ import annotations

from typing import Any, Final

from keras import ops

from facekit.recipe.schema import DistillSpec

#: Outputs that are compared with the teachers: answers, and the identity part.
TAUGHT: Final = "distill"
TAUGHT_IDENTITY: Final = "distill_identity"

_TINY: Final = 1e-9  # keeps logarithms of probabilities finite


def add_teaching(
    spec: DistillSpec, outputs: dict[str, Any], losses: dict[str, Any], weights: dict[str, float]
) -> None:
    """Compare a trainer's first output with its teachers too.

    The output goes out a second time, as ``TAUGHT``, so that its loss has a column of
    its own in ``metrics.jsonl``. Where no teacher counts, nothing is changed.

    Args:
        spec: Whose weight the first output's own loss gives up.
        outputs: Of the trainer; the first is "classes" or "attributes", logits (n, k).
        losses: By output.
        weights: By output.
    """
    if not (spec.active and spec.weight):
        return
    name = next(iter(outputs))
    outputs[TAUGHT] = outputs[name]
    losses[TAUGHT] = taught_loss(spec.temperature, exclusive=name == "classes")
    weights[TAUGHT] = spec.weight * weights[name]
    weights[name] *= 1 - spec.weight


def soften(logits: Any, temperature: float, *, exclusive: bool) -> Any:
    """Logits (n, k) to the probabilities that a student is told."""
    return (ops.softmax if exclusive else ops.sigmoid)(logits / temperature)


def taught_loss(temperature: float, *, exclusive: bool) -> Any:
    """Divergence (Kullback-Leibler) from softened probabilities to a student's.

    It is multiplied by the squared temperature, which keeps gradients as large as
    those of the labels. The student's own, where it is the teacher's, costs nothing.

    Args:
        temperature: Divides the student's logits, as it did the teachers'.
        exclusive: Classes that exclude each other (softmax); else each label is a
            question of its own (sigmoid), and the mean over them is taken.

    Returns:
        A loss of probabilities (n, k) and logits (n, k); one number a row.
    """

    def divergence(wanted: Any, logits: Any) -> Any:
        z = logits / temperature
        if exclusive:
            gap = ops.log(wanted + _TINY) - ops.log_softmax(z, axis=-1)
            return temperature**2 * ops.sum(wanted * gap, axis=-1)
        other = 1 - wanted
        yes = ops.log(wanted + _TINY) + ops.softplus(-z)
        no = ops.log(other + _TINY) + ops.softplus(z)
        return temperature**2 * ops.mean(wanted * yes + other * no, axis=-1)

    return divergence
