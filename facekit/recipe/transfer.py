"""What a transfer recipe may say, and the range of every number in it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from facekit.datasets.registry import SOURCES, names
from facekit.frame import ALIGNED_EYES
from facekit.recipe.schema import (
    AugmentSpec,
    BackboneSpec,
    ClassSource,
    Count,
    DistillSpec,
    ExpectedSpec,
    FrameSpec,
    MixSpec,
    Name,
    NonNegative,
    OptimizerSpec,
    ScheduleSpec,
    Share,
    Spec,
    TopSpec,
    TrainingSpec,
    needs_alpha,
    one_of,
)

Rung = Literal["frozen", "last", "full", "scratch", "auto"]
#: What ``--rung`` may name, from the cheapest to the dearest; ``auto`` climbs.
RUNGS: tuple[Rung, ...] = ("frozen", "last", "full", "scratch", "auto")


#: Heads that a recipe may name; ``heads.kinds.add_head_kind`` adds another.
HEAD_KINDS: list[str] = ["linear", "mlp"]


def _of_emotions() -> list[str]:
    """Data sets that a result can be tried on: their classes are no one's own."""
    return ["", *(name for name in names("classes") if not SOURCES[name].own)]


class TransferDataSpec(Spec):
    """Which images, which labels, and what the choices are validated on.

    ``votes`` mixes the share of FER+ votes into the targets that are learned
    from; ``labels`` is what is measured against. ``validation`` "auto" takes the
    source's own validation images; where there are none it cross-validates a
    frozen linear head of fewer than 1,000 training images, and holds some of the
    training images out of any other. "holdout" always holds some out. "test"
    validates on ``test/``, which then is no test any more.
    """

    source: ClassSource = "fer"
    labels: Literal["fer", "ferplus"] = "fer"
    votes: Share = 0.0
    validation: Literal["auto", "holdout", "test"] = "auto"
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.1
    limit: Annotated[int, Field(ge=0)] = 0  # so many of each split, evenly spaced; 0 takes all
    #: Of a folder: faces lie as in that data set.
    aligned: Annotated[str, one_of(lambda: ("", *ALIGNED_EYES))] = ""
    #: Another data set that the result is tried on.
    cross: Annotated[str, one_of(_of_emotions)] = ""
    cross_sample: Annotated[int, Field(ge=0)] = 0  # and on so many of it, even over its classes
    image_key: str = "image/encoded"  # of a TFRecord
    label_key: str = "image/class/label"
    first_label: Literal[0, 1] = 0
    classes: tuple[str, ...] = ()  # of a TFRecord, in the order of its labels; none: its own

    @field_validator("classes")
    @classmethod
    def _differ(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if names and (len(set(names)) < len(names) or len(names) < 2 or not all(names)):
            raise ValueError(f"{list(names)} are no classes: two or more names that differ")
        return names


#: Parts of facekit's own backbones.
_PARTS: Final = ("pooled", "identity", "grid", "grid_mid")


class FeatureSpec(Spec):
    """What a frozen head reads: parts of the embedding and views of each image.

    ``channels`` keeps so many principal channels of a part at every place of its
    grid, ``components`` so many principal components of all that is left while an
    MLP is fitted (the head that comes out reads the parts themselves); 0 keeps
    all. Parts that the backbone lacks are left out.
    """

    parts: Annotated[tuple[str, ...], Field(min_length=1)] = _PARTS
    channels: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    components: Annotated[int, Field(ge=0)] = 0
    mirror: bool = True  # the mirror image of every training image too
    augmented: Annotated[int, Field(ge=0, le=100)] = 0  # augmented views more

    @model_validator(mode="after")
    def _channels_of_parts(self) -> FeatureSpec:
        known = dict.fromkeys((*self.parts, *_PARTS))  # a part may be left out, its channels not
        for part in self.channels:
            if part not in known:
                raise ValueError(f"channels.{part} is of no part; parts are {', '.join(known)}")
        return self


class HeadSpec(Spec):
    """The head: a linear probe, or an MLP with ReLU layers.

    ``strengths`` are the penalties on squared weights that a linear probe may have
    (``l2`` of ``heads.fit.fit_logistic`` as a share of the number of rows);
    validation picks one. ``balance`` makes rare classes count: by weights, by drawing
    their images more often, or by that and augmenting them more (which the rungs that
    train a backbone can). ``logit_adjustment`` does so afterwards: this much of the
    classes' shares in the training data is taken out of the answers. The rest is the
    MLP's.
    """

    kind: Annotated[str, one_of(lambda: HEAD_KINDS)] = "mlp"
    strengths: Annotated[tuple[NonNegative, ...], Field(min_length=1)] = (0.01, 0.03, 0.1)
    balance: Literal["none", "weights", "sampling", "augment"] = "none"
    logit_adjustment: Share = 0.0  # of Menon et al., 2021
    smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    widths: Annotated[tuple[Count, ...], Field(min_length=1, max_length=3)] = (512,)
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    input_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    weight_decay: NonNegative = 0.02
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-3
    epochs: Count = 12
    batch_size: Annotated[int, Field(ge=2)] = 512
    members: Annotated[int, Field(ge=1, le=10)] = 1  # MLPs of other seeds, averaged

    @model_validator(mode="after")
    def _once(self) -> HeadSpec:
        if self.logit_adjustment and self.balance != "none":
            raise ValueError(
                f"logit_adjustment={self.logit_adjustment:g} and balance={self.balance!r} both "
                "make rare classes count: take one of them"
            )
        return self


class TransferRecipe(Spec):
    """A whole transfer recipe.

    ``model`` is the bundle whose backbone is reused; ``scratch`` takes
    ``backbone`` and ``frame`` instead, and so does ``frozen`` where ``model`` is "":
    that backbone, with the weights it names, is exported once and then only read.
    The rungs ``last`` and ``full`` go on from a bundle: "" leaves it to whoever runs
    them. The rungs that train a backbone put ``top`` on it; without, a normalised
    linear layer with ``head.dropout``.
    """

    name: Name
    kind: Literal["transfer"] = "transfer"
    summary: str = ""
    model: str = "celeba-compact"
    rung: Rung = "frozen"
    data: TransferDataSpec = TransferDataSpec()
    features: FeatureSpec = FeatureSpec()
    head: HeadSpec = HeadSpec()
    frame: FrameSpec = FrameSpec()
    backbone: BackboneSpec = BackboneSpec()
    top: TopSpec | None = None
    augment: AugmentSpec = AugmentSpec()
    mix: MixSpec = MixSpec()
    optimizer: OptimizerSpec = OptimizerSpec()
    schedule: ScheduleSpec = ScheduleSpec()
    training: TrainingSpec = TrainingSpec()
    distill: DistillSpec = DistillSpec()
    best: Literal["accuracy", "macro_f1", "loss"] = "accuracy"
    mirror: bool = True  # average over the mirror image when it predicts
    expected: tuple[ExpectedSpec, ...] = ()

    @model_validator(mode="after")
    def _mixing(self) -> TransferRecipe:
        needs_alpha(self.mix)
        return self

    @model_validator(mode="after")
    def _training(self) -> TransferRecipe:
        if self.training.epochs == 0:
            raise ValueError("training.epochs=0 trains nothing: give 1 or more")
        return self

    @model_validator(mode="after")
    def _climbing(self) -> TransferRecipe:
        if self.rung == "auto" and not self.model:
            raise ValueError(
                "model is empty and rung='auto' climbs from a bundle: name one, or take rung=frozen"
            )
        return self

    @model_validator(mode="after")
    def _distilling(self) -> TransferRecipe:
        if self.distill.teachers and self.rung in ("frozen", "auto"):
            raise ValueError(
                f"distill.teachers teach while a backbone trains, and rung={self.rung!r} reads "
                "stored features: take rung=last, full or scratch"
            )
        if self.distill.identity:
            raise ValueError("distill.identity is for `facekit pretrain`: leave it out here")
        return self

    @model_validator(mode="after")
    def _augmenting(self) -> TransferRecipe:
        if self.head.balance == "augment" and self.rung in ("frozen", "auto"):
            raise ValueError(
                f"head.balance='augment' augments while a backbone trains, and rung={self.rung!r} "
                "reads stored features: take weights or sampling"
            )
        return self
