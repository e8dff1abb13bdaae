"""What is made, in order: each stage is one of facekit's commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from facekit.recipe.schema import PretrainRecipe


@dataclass(frozen=True)
class Stage:
    """One model.

    Attributes:
        name: Of its run folder.
        words: Of the command after ``facekit``, up to the recipe.
        epochs: Wanted; fewer where there is no time.
        weight: Its share of the time that is left, beside the stages after it.
        sets: Overrides of the recipe.
        keep: Its place when results do not all fit; 0 is first.
        base: Stages of which the best that is finished is trained on; none takes the
            recipe's own.
        teachers: Stages whose finished ones teach; without any it cannot begin.
    """

    name: str
    words: tuple[str, ...]
    epochs: int
    weight: float
    sets: tuple[str, ...] = ()
    keep: int = 9
    base: tuple[str, ...] = ()
    teachers: tuple[str, ...] = ()


#: Settings of the sweep against learning by heart.
_TRUNKS: Final = {
    "plain": (),
    "decay": ("optimizer.weight_decay=0.1", "backbone.dropout=0.4"),
    "erase": ("augment.erase=0.6", "augment.zoom=0.25"),
}
_MIXED: Final = ("mix.share=0.4", "mix.mixup=0.4", "mix.cutmix=1.0")

#: Of ``--tiny``: networks and crops that a processor trains in a second.
_TINY: Final = ("training.batch_size=8",)
_TINY_TRUNK: Final = (*_TINY, "frame.side=32", "backbone.blocks=[1,1]")


def plan(packed: Path, *, tiny: bool = False) -> list[Stage]:
    """All stages.

    Args:
        packed: Folder with ``celeba`` and ``fer``; what is missing has no stages.
        tiny: Small networks and three epochs, to try the way out.
    """
    stages: list[Stage] = []
    if (packed / "celeba").exists():
        stages += _shared(packed / "celeba", tiny)
    if (packed / "fer").exists():
        stages += _emotions(packed / "fer", tiny)
    return stages


def _shared(data: Path, tiny: bool) -> list[Stage]:
    """Trunk sweep, wide teachers, student."""
    # Pretraining may be older than its [mix].
    mixed = _MIXED if "mix" in PretrainRecipe.model_fields else ()
    trunks = {**_TRUNKS, **({"mixed": mixed} if mixed else {})}
    small = (*_TINY_TRUNK, "backbone.widths=[8,12]") if tiny else ("training.batch_size=256",)
    broad = (*_TINY_TRUNK, "backbone.widths=[12,16]") if tiny else ("training.batch_size=256",)

    def stage(name: str, recipe: str, epochs: int, weight: float, **more: object) -> Stage:
        words = ("pretrain", "celeba", "--data", str(data), "--recipe", recipe)
        table = ("--teacher-table", str(data / "teacher.npz"))
        return Stage(name, (*words, *table), 3 if tiny else epochs, weight, **more)  # type: ignore[arg-type]

    stages = [
        stage(f"trunk-{name}", "celeba-compact", 60, 1, sets=(*small, *sets), keep=6)
        for name, sets in trunks.items()
    ]
    wide = [
        stage(f"celeba-wide-{i}", "celeba-wide", 45, 2, sets=(*broad, f"training.seed={i}"))
        for i in range(2)
    ]
    taught = ("distill.weight=0.8", "distill.temperature=1", "distill.identity=0.75")
    sets = (*small, *taught, "targets.identity.weight=0.75", *mixed)
    names = tuple(one.name for one in wide)
    student = stage("student", "celeba-compact", 300, 5, sets=sets, keep=1, teachers=names)
    return [*stages, *wide, student]


def _emotions(data: Path, tiny: bool) -> list[Stage]:
    """Tuned, wide and distilled networks; then systems of the student projects."""
    shown = ("data.validation=test",) if (data / "test").exists() else ()

    def stage(name: str, epochs: int, weight: float, **more: object) -> Stage:
        words = ("transfer", "fer", "--data", str(data), "--recipe", name)
        return Stage(name, words, 3 if tiny else epochs, weight, **more)  # type: ignore[arg-type]

    size = (*shown, *(_TINY if tiny else ("training.batch_size=256",)))
    trunks = ("student", "trunk-*")
    published = (*shown, "schedule.kind=cosine", *(_TINY if tiny else ()))
    depth = ("backbone.depth=12", "backbone.growth=4") if tiny else ()
    teachers = ("fer-wide", "fer-full")
    return [
        stage("fer-full", 120, 2, sets=size, keep=2, base=trunks),
        stage("fer-wide", 100, 3, sets=size, base=("celeba-wide-*",)),
        stage("fer-full-distilled", 300, 6, sets=size, keep=0, base=trunks, teachers=teachers),
        stage("fer-densenet-bc-05", 200, 3, sets=(*published, *depth), keep=3),
        stage("fer-resnet104-v1", 200, 3, keep=4,
              sets=(*published, *(("backbone.depth=8",) if tiny else ()))),
    ]  # fmt: skip


def command(
    stage: Stage, bundle: Callable[[str], Path], finished: Callable[[Sequence[str]], list[str]]
) -> list[str] | None:
    """The words of a stage that begins now.

    Args:
        stage: What is made.
        bundle: Where the bundle of a stage is.
        finished: Of some names (``trunk-*`` is several) those that are there, best first.

    Returns:
        Words after ``facekit``; None where a base or teachers are wanted and none is there.
    """
    sets = list(stage.sets)
    if stage.base:
        found = finished(stage.base)
        if found:
            sets.append(f"model={bundle(found[0])}")
        elif "celeba-wide-*" in stage.base:  # its recipe begins with a run of the user's
            return None
    if stage.teachers:
        taught = ", ".join(f'"{bundle(name)}"' for name in finished(stage.teachers))
        if not taught:
            return None
        sets.append(f"distill.teachers=[{taught}]")
    return [*stage.words, *(word for one in sets for word in ("--set", one))]
