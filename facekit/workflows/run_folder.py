"""The run folder of a training: may it be used, by whom, and with which recipe."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from facekit.arrays import AnyArray
from facekit.errors import InterruptedRunError, RecipeError, UsageError
from facekit.recipe.load import load_recipe, to_toml
from facekit.recipe.schema import PretrainRecipe
from facekit.recipe.transfer import TransferRecipe
from facekit.system.files import exclusive, is_held, sweep_drafts, write_atomically

R = TypeVar("R", PretrainRecipe, TransferRecipe)

#: Parts of a recipe that a resumed run may not change: they shape its arrays, or say
#: which epoch is the best.
_FIXED: Final[dict[type[Any], tuple[str, ...]]] = {
    PretrainRecipe: ("data", "frame", "backbone", "targets", "distill"),
    TransferRecipe: ("data", "frame", "backbone", "top", "model", "rung", "best", "distill"),
}

#: Held in a run folder as long as a process works in it.
LOCK: Final = ".lock"

#: What a run leaves behind: in training, when it climbs, when it is finished.
_MARKS: Final = ("checkpoint.npz", "frozen", "report.json")

#: Facts that a resumed run may not change -> what the user has to bring back.
#: Counts come first (``images``): they say more than a hash.
_KEPT: Final = {
    "labels": "other labels or partitions: give the same lists with --data and --exclude",
    "crops": "other image files: give the same ones with --data",
    "identity": "other identity vectors: give the --teacher-table it began with, or none if none",
    "teachers": "other teachers: distill.teachers must name the very models it began with",
    "backend": "another backend: set KERAS_BACKEND to {before}",
}


def choose_folder(out: Path | str | None, recipe: str | Path, resume: bool) -> Path:
    """The run folder, which may not exist yet.

    Args:
        out: What the user named; None makes a name under ``runs/``.
        recipe: Name or path of the recipe, part of that name.
        resume: The folder must hold a checkpoint; without it must hold none.

    Returns:
        The folder; nothing has been written.

    Raises:
        UsageError: ``resume`` without ``out``, or ``out`` is a file or lies in one.
        InterruptedRunError: There is a run already, or none to resume.
    """
    if out is None:
        if resume:
            raise UsageError("--resume needs --out: name the run folder to go on with")
        return Path("runs") / f"{Path(recipe).stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    run = Path(out)
    if run.exists() and not run.is_dir():
        raise UsageError(f"--out {run} is a file: name a folder")
    above = next((path for path in run.parents if path.exists()), None)
    if above is not None and not above.is_dir():
        raise UsageError(f"--out {run} lies in {above}, which is a file: name another folder")
    begun = [name for name in _MARKS if (run / name).exists()]
    if begun and not resume:
        # A frozen head leaves its report alone: there is nothing to go on with.
        way = "" if begun == ["report.json"] else "go on with --resume, or "
        raise InterruptedRunError(f"{run} holds a run already: {way}name another folder with --out")
    if resume and not begun:
        raise InterruptedRunError(
            f"{run} has no checkpoint to resume: leave --resume out to start there"
        )
    return run


@contextmanager
def occupied(out: Path | str | None, recipe: str | Path, resume: bool) -> Iterator[Path]:
    """Choose the run folder and keep other processes out of it for a whole sitting.

    Args:
        out: As for ``choose_folder``.
        recipe: As for ``choose_folder``.
        resume: As for ``choose_folder``.

    Yields:
        The folder, which exists; one that was made here and stays empty is removed.

    Raises:
        UsageError: As for ``choose_folder``.
        InterruptedRunError: The same, or another process works in the folder.
    """
    try:
        run = choose_folder(out, recipe, resume)
    except InterruptedRunError:
        if out is not None and is_held(Path(out) / LOCK):
            raise _busy(Path(out)) from None
        raise
    made = [path for path in (run, *run.parents) if not path.exists()]
    run.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.callback(_remove_empty, made)
        try:
            stack.enter_context(exclusive(run / LOCK))
        except BlockingIOError:
            raise _busy(run) from None
        sweep_drafts(run)
        yield choose_folder(run, recipe, resume)  # again: another may just have finished


def _busy(run: Path) -> InterruptedRunError:
    return InterruptedRunError(
        f"another process is working in {run}: wait until it has ended, "
        "or name another folder with --out"
    )


def _remove_empty(folders: Sequence[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # it holds something now
            folder.rmdir()


def resolve_recipe(
    run: Path, recipe: str | Path, overrides: Sequence[str], resume: bool, schema: type[R]
) -> R:
    """The recipe of this sitting; a resumed run goes on with its own.

    Args:
        run: From ``choose_folder``.
        recipe: Name of a shipped recipe or path of a TOML file.
        overrides: ``key=value`` texts that change single keys.
        resume: Whether the run goes on.
        schema: The kind of recipe that is wanted.

    Returns:
        The checked recipe.

    Raises:
        RecipeError: It does not fit its schema, or not the run's arrays.
    """
    saved = run / "recipe.toml"
    if not resume or not saved.exists():
        return load_recipe(recipe, overrides, schema)
    before = load_recipe(saved, (), schema)
    resolved = load_recipe(saved, overrides, schema)
    for part in _FIXED[schema]:
        if getattr(before, part) != getattr(resolved, part):
            raise RecipeError(
                f"--set changes {part} of the run in {run}, which has been trained with another: "
                "a resumed run may change augment, mix, optimizer, schedule and training; "
                "start a new run for the rest"
            )
    return resolved


def start_folder(
    run: Path, recipe: PretrainRecipe | TransferRecipe, fed: Mapping[str, Any], *, resume: bool
) -> None:
    """Write the resolved recipe and what the run is fed.

    Args:
        run: From ``choose_folder``; made here.
        recipe: The resolved recipe.
        fed: Facts about the data, such as ``images`` (a count by split) and hashes;
            those named in ``_KEPT`` may not change when the run goes on.
        resume: Whether the run goes on; if so it must be fed as before.

    Raises:
        InterruptedRunError: A resumed run was fed from other data.
    """
    facts = {**fed, "command": " ".join(sys.argv)}
    note = run / "data.json"
    if resume:
        _refuse_other_data(run, note, facts)
    run.mkdir(parents=True, exist_ok=True)
    if not resume:  # a run killed before its first checkpoint leaves these
        (run / "metrics.jsonl").unlink(missing_ok=True)
    write_atomically(run / "recipe.toml", to_toml(recipe))
    write_atomically(note, json.dumps(facts, indent=1) + "\n")


def hash_arrays(*arrays: AnyArray) -> str:
    """SHA-256 of arrays, their types and shapes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _refuse_other_data(run: Path, note: Path, facts: dict[str, Any]) -> None:
    """Compare with the facts of the last sitting; an older facekit wrote fewer."""
    try:
        before = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    images = before.get("images", facts["images"])
    if images != facts["images"]:
        raise InterruptedRunError(
            f"{run} was trained on {_say(images)} images, and --data has "
            f"{_say(facts['images'])}: give the same data and --exclude, or start a new run with "
            "another --out"
        )
    copied = bool(facts.get("pixels")) and before.get("pixels") == facts["pixels"]
    for key, what in _KEPT.items():
        if key == "crops" and copied:  # its hash counts the files' times as well
            continue
        if key in before and before[key] != facts[key]:
            raise InterruptedRunError(
                f"{run} began with {what.format(before=before[key])}, "
                "or start a new run with another --out"
            )


def _say(images: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {split}" for split, n in images.items())


# The command line as provenance: how to get these numbers again.


def command_line() -> str:
    """The command line, with the last name of every absolute path alone.

    Bundles and pages are handed on: the user's folders are nobody's business.
    """
    return " ".join(["facekit", *map(_short, sys.argv[1:])])


def _short(word: str) -> str:
    """A path, or one behind an equals sign (``--set model=/home/me/tiny``), by its last name."""
    if Path(word).is_absolute():  # its name may have an equals sign: a sweep's folders do
        return Path(word).name
    key, equals, value = word.rpartition("=")
    if value.startswith("["):  # a list of paths, such as distill.teachers
        value = re.sub(r"""(?<=["'])/[^"']*""", lambda path: Path(path[0]).name, value)
    return f"{key}{equals}{Path(value).name if Path(value).is_absolute() else value}"
