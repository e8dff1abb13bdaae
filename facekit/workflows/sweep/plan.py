"""Which runs a sweep has, where they lie, and how far each is."""

from __future__ import annotations

import itertools
import json
import re
import time
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from facekit.backbones.catalog import check_backbone
from facekit.errors import InterruptedRunError, RecipeError, UsageError
from facekit.recipe.load import Recipe, load_recipe
from facekit.recipe.schema import PretrainRecipe
from facekit.recipe.toml import parse_value
from facekit.recipe.transfer import TransferRecipe
from facekit.report.record import write_json
from facekit.system.files import is_held, locked
from facekit.workflows.run_folder import LOCK, choose_folder

#: The file that makes a folder a sweep's.
PLAN: Final = "sweep.json"

State = Literal["finished", "running", "begun", "waiting", "failed"]


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep.

    Attributes:
        index: From 0: what ``--only`` and a Slurm task name.
        name: Readable, such as ``compression=0.3``; its folder's name.
        overrides: ``key=value`` texts.
        folder: Run folder.
        recipe: The resolved recipe.
    """

    index: int
    name: str
    overrides: tuple[str, ...]
    folder: Path
    recipe: PretrainRecipe | TransferRecipe

    @property
    def resumable(self) -> bool:
        """Whether ``--resume`` can go on with what lies in the folder."""
        climbs = isinstance(self.recipe, TransferRecipe) and self.recipe.rung == "auto"
        return (self.folder / ("frozen" if climbs else "checkpoint.npz")).exists()


@dataclass(frozen=True)
class SweepPlan:
    """A sweep.

    Attributes:
        recipe: Name or path, as the user gave it.
        folder: Holds the run folders.
        axes: Values by key, as they were written.
        runs: In the order in which they are made.
    """

    recipe: str
    folder: Path
    axes: dict[str, tuple[str, ...]]
    runs: tuple[SweepRun, ...]

    @property
    def kind(self) -> str:
        """``pretrain`` or ``transfer``."""
        return self.runs[0].recipe.kind


def plan_sweep(
    recipe: str | Path, sets: Sequence[str], out: Path | str | None, *, resume: bool
) -> SweepPlan:
    """Resolve every run of a sweep; nothing is written.

    Args:
        recipe: Name of a shipped recipe or path of a TOML file.
        sets: ``key=value,value`` texts; see ``read_axis``.
        out: Folder of the sweep; None makes a name under ``runs/``.
        resume: Whether the folder may hold this sweep already.

    Raises:
        RecipeError: The recipe, a key or a value does not fit, two runs would be the
            same, or the recipe is of another kind.
        UsageError: ``resume`` without ``out``, or ``out`` is a file or lies in one.
        InterruptedRunError: The folder holds a sweep and ``resume`` is not given, or
            holds a run.
    """
    axes = [read_axis(text) for text in sets]
    points = combine(axes)
    folder = _choose_folder(out, recipe, resume)
    runs: list[SweepRun] = []
    for index, (name, overrides) in enumerate(points.items()):
        resolved = _trainable(load_recipe(recipe, overrides))
        for other in runs:
            if other.recipe == resolved:
                raise RecipeError(f"{other.name} and {name} are the same run: leave one out")
        runs.append(SweepRun(index, name, overrides, folder / name, resolved))
    if len({run.recipe.kind for run in runs}) > 1:
        raise RecipeError("--set kind makes recipes of several kinds: sweep one kind")
    return SweepPlan(str(recipe), folder, dict(axes), tuple(runs))


def record_plan(plan: SweepPlan, command: str) -> None:
    """Write down what the runs are made of; runs of an earlier sitting must be the same.

    Args:
        plan: Its folder is made.
        command: The command line.

    Raises:
        InterruptedRunError: A run of this name was made of another recipe.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    with locked(plan.folder / LOCK):  # tasks of an array come all at once
        runs = _recorded(plan.folder)
        for run in plan.runs:
            before = runs.get(run.name)
            if before is not None and not _same(before, run):
                raise InterruptedRunError(
                    f"{run.folder} was begun with another recipe: undo the change, or name "
                    "another folder with --out"
                )
            recipe = run.recipe.model_dump(mode="json")
            runs[run.name] = {"overrides": run.overrides, "recipe": recipe}
        facts = {"kind": plan.kind, "recipe": plan.recipe, "axes": plan.axes, "command": command}
        write_json(plan.folder / PLAN, {**facts, "runs": runs})


def state_of(run: SweepRun) -> State:
    """How far a run is: ``finished``, ``running`` (now), ``begun`` or ``waiting``."""
    if is_held(run.folder / LOCK):
        return "running"
    if _is_finished(run):
        return "finished"
    return "begun" if (run.folder / "data.json").exists() or run.resumable else "waiting"


def _trainable(recipe: Recipe) -> PretrainRecipe | TransferRecipe:
    if not isinstance(recipe, PretrainRecipe | TransferRecipe):
        raise RecipeError(
            f"{recipe.name} is for `facekit {recipe.kind}`: sweep a recipe of "
            "`facekit pretrain` or `facekit transfer`"
        )
    check_backbone(recipe.backbone)
    return recipe


def _choose_folder(out: Path | str | None, recipe: str | Path, resume: bool) -> Path:
    if out is None and not resume:
        return Path("runs") / f"{Path(recipe).stem}-sweep-{time.strftime('%Y%m%d-%H%M%S')}"
    if out is not None and (Path(out) / PLAN).exists():
        if not resume:
            raise InterruptedRunError(
                f"{out} holds a sweep already: go on with --resume, or name another folder with "
                "--out"
            )
        return Path(out)
    if out is None:
        raise UsageError("--resume needs --out: name the folder of the sweep to go on with")
    return choose_folder(out, recipe, False)


def _recorded(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / PLAN).read_text(encoding="utf-8"))["runs"])
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError):
        raise InterruptedRunError(
            f"{folder / PLAN} cannot be read: name another folder with --out"
        ) from None


def _same(before: dict[str, Any], run: SweepRun) -> bool:
    """Compared as recipes: a later facekit may know more keys."""
    try:
        return type(run.recipe).model_validate(before["recipe"]) == run.recipe
    except (KeyError, TypeError, ValidationError):
        return False


def _is_finished(run: SweepRun) -> bool:
    """A run writes its report last; what it is tried on besides comes after that."""
    files = ["report.json", "report.html"]
    cross = ""
    if isinstance(run.recipe, TransferRecipe):
        files += ["climb.json"] if run.recipe.rung == "auto" else []
        cross = run.recipe.data.cross
    if not all((run.folder / name).exists() for name in files):
        return False
    return not cross or "cross" in json.loads((run.folder / files[0]).read_text(encoding="utf-8"))


# A grid of recipes: every combination of the values that some keys shall take.

#: What a TOML value that may hold commas of its own starts with.
_OPENING: Final = ("[", "{", '"', "'")
_CLOSING: Final = ("]", "}", '"', "'")
#: Longest name of a point; folders of 255 bytes are usual, paths of 260 on Windows.
_LONGEST: Final = 80


#: A dotted key of a recipe and the values that it takes, as they were written: TOML
#: values or bare words, none twice.
Axis = tuple[str, tuple[str, ...]]


def read_axis(text: str) -> Axis:
    """Read ``key=value,value``; a list, table or quoted text is one value.

    ``backbone.compression=0.3,0.5`` has two values, ``backbone.widths=[8,16]`` has
    one and ``backbone.widths=[8,16],[16,32]`` has two.

    Args:
        text: What stands after ``--set``.

    Raises:
        RecipeError: No key, no value, a list without its end, or a value twice.
    """
    key, equals, rest = text.partition("=")
    key = ".".join(part.strip() for part in key.split("."))
    if not equals or not all(key.split(".")):
        raise RecipeError(
            f"cannot read {text!r}: write key=value,value, such as "
            "optimizer.learning_rate=0.001,0.0003"
        )
    values = _split(text, rest)
    twice = [value for value, count in Counter(map(_meaning, values)).items() if count > 1]
    if twice:
        raise RecipeError(f"--set {text} has the value {twice[0]} twice: leave one out")
    return key, tuple(values)


def combine(axes: Sequence[Axis]) -> dict[str, tuple[str, ...]]:
    """The Cartesian product; the last axis changes fastest.

    Args:
        axes: At least one; none of a key that another has or lies inside of.

    Returns:
        ``key=value`` texts for ``load_recipe``, one an axis, by the combination's name:
        readable, good for a folder, it tells what the axes of several values are set to.

    Raises:
        RecipeError: No axes, or two that set the same key.
    """
    if not axes:
        raise RecipeError("nothing to vary: name a key and its values, --set key=value,value")
    keys, choices = zip(*axes, strict=True)
    for one, other in itertools.combinations(keys, 2):
        if f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}."):
            raise RecipeError(
                f"--set {one} and --set {other} set the same key: give all its values in one --set"
            )
    short = _short_keys(keys)
    told = [len(some) > 1 for some in choices]
    if not any(told):
        told = [True] * len(axes)
    points: dict[str, tuple[str, ...]] = {}
    for values in itertools.product(*choices):
        words = [f"{k}={_slug(v)}" for k, v, tell in zip(short, values, told, strict=True) if tell]
        name = _unique(",".join(words), set(map(str.casefold, points)), len(points))
        points[name] = tuple(f"{key}={one}" for key, one in zip(keys, values, strict=True))
    return points


def _split(text: str, rest: str) -> list[str]:
    """Cut at commas, but not inside a TOML value that has commas of its own."""
    values: list[str] = []
    pending = ""
    for part in rest.split(","):
        pending = f"{pending},{part}" if pending else part
        if not pending.strip():
            raise RecipeError(f"--set {text} has an empty value: write '\"\"' for an empty text")
        opens = pending.lstrip().startswith(_OPENING)
        if not opens or (pending.rstrip().endswith(_CLOSING) and _is_toml(pending)):
            values.append(pending.strip())
            pending = ""
    if pending:
        raise RecipeError(f"--set {text}: {pending.strip()} has no end, or is no TOML value")
    return values


def _is_toml(text: str) -> bool:
    try:
        parse_value(text)
        return True
    except tomllib.TOMLDecodeError:
        return False


def _meaning(text: str) -> str:
    """The value as Python writes it, so that 0.30 is 0.3; a bare word is itself."""
    return repr(parse_value(text)) if _is_toml(text) else repr(text)


def _short_keys(keys: Sequence[str]) -> list[str]:
    """As many last words of each key as tell it from the others."""
    out = []
    for key in keys:
        words = key.split(".")
        for count in range(1, len(words) + 1):
            tail = ".".join(words[-count:])
            if sum(f".{other}".endswith(f".{tail}") for other in keys) == 1:
                break
        out.append(_slug(tail))
    return out


def _slug(text: str) -> str:
    """Text for a folder's name: no brackets or quotes, ``8+16`` for a list."""
    listed = re.sub(r"\s*,\s*", "+", re.sub(r"[\[\]{}\"']", "", text).strip())
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", listed) or "none"


def _unique(name: str, taken: set[str], place: int) -> str:
    if len(name) <= _LONGEST and name.casefold() not in taken:
        return name
    return f"{name[:_LONGEST]},{place}"
