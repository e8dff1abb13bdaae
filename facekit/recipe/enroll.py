"""What an enrolment recipe may say, and the range of every number in it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from facekit.recipe.schema import ExpectedSpec, Name, NonNegative, Share, Spec


class PhotoAugmentSpec(Spec):
    """Augmented copies of every photo used; shares are probabilities.

    Geometry is uniform in plus or minus the given amount; edges are filled from
    nearby colour.
    """

    copies: Annotated[int, Field(ge=0, le=10_000)] = 4  # of each photo
    mirror: Share = 0.5
    rotation: Annotated[float, Field(ge=0, le=180)] = 8.0  # degrees
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.08
    stretch: Annotated[float, Field(ge=0, lt=1)] = 0.05  # of the height, and of the width
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.03  # of the side
    light: Share = 0.3  # brightness, contrast and gamma
    colour: Share = 0.2
    noise: Share = 0.15
    blur: Share = 0.15
    low_resolution: Share = 0.2


class QualitySpec(Spec):
    """When a face is refused; what each number measures is in ``evaluation.quality``."""

    smallest: NonNegative = 12.0  # distance between the eyes, pixels of the photo
    sharpness: NonNegative = 0.32
    brightness: Share = 0.08
    turn: Annotated[float, Field(ge=0, le=90)] = 60.0  # degrees to the side


class EnrollHeadSpec(Spec):
    """The scorer: one neuron on a part of the embedding, or the nearest centroid, its baseline."""

    kind: Literal["neuron", "centroid"] = "neuron"
    part: Literal["identity", "pooled"] = "identity"  # what it reads
    strangers: Annotated[int, Field(ge=0)] = 0  # most that teach; 0 takes all there are
    strength: Annotated[float, Field(gt=0)] = 1e-3  # L2 as a share of the rows
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5  # weight of the person's own photos


class ClaimSpec(Spec):
    """The false match rate that the threshold is set for, and against whom."""

    fmr: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    cohort: Literal["matched", "sex", "all"] = "matched"  # strangers of the same sex and age
    leaky: bool = False  # say beside it what a split of shuffled copies would claim


class EnrollRecipe(Spec):
    """How a folder of photos becomes one neuron."""

    name: Name
    kind: Literal["enroll"] = "enroll"
    summary: str = ""
    model: str = ""  # the default model where empty
    seed: Annotated[int, Field(ge=0)] = 0
    quality: QualitySpec = QualitySpec()
    augment: PhotoAugmentSpec = PhotoAugmentSpec()
    head: EnrollHeadSpec = EnrollHeadSpec()
    claim: ClaimSpec = ClaimSpec()
    expected: tuple[ExpectedSpec, ...] = ()

    @model_validator(mode="after")
    def _check_leaky(self) -> EnrollRecipe:
        if self.claim.leaky and self.head.kind != "neuron":
            raise ValueError(
                "claim.leaky compares at a probability of 0.5, which a centroid does not have: "
                "set head.kind=neuron or claim.leaky=false"
            )
        return self
