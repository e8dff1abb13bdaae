"""Transfer: classes from a folder, a head on the frozen backbone or more, evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facekit.errors import UsageError
from facekit.recipe.transfer import TransferRecipe
from facekit.workflows.run_folder import occupied, resolve_recipe
from facekit.workflows.transfer.climb import climb
from facekit.workflows.transfer.data import Sources
from facekit.workflows.transfer.results import TransferResult
from facekit.workflows.transfer.rung import train_rung

#: The recipe of each data set and rung; the rung ``scratch`` is that of ``full``
#: without the pretrained weights.
_RECIPES = {
    "frozen": {"fer": "fer-frozen-mlp", "folder": "folder-frozen", "ckplus": "folder-frozen"},
    "last": {"fer": "fer-last-stage"},
    "full": {"fer": "fer-full"},
}


def transfer(
    dataset: str = "fer",
    data: Path | str | None = None,
    *,
    rung: str | None = None,
    recipe: str | Path | None = None,
    overrides: Sequence[str] = (),
    out: Path | str | None = None,
    resume: bool = False,
    epochs: int | None = None,
    labels: str | None = None,
    people: Path | str | None = None,
    exclude: Path | str | None = None,
    cross: Path | str | None = None,
    allow_missing: bool = False,
) -> TransferResult:
    """Learn classes on the shared backbone; the same as ``facekit transfer``.

    Args:
        dataset: ``fer``, ``folder``, ``ckplus`` or ``tfrecord``.
        data: Its folder or file.
        rung: ``frozen``, ``last``, ``full``, ``scratch`` or ``auto``; None takes
            the recipe's.
        recipe: Name of a shipped recipe or path of a TOML file; None takes the one
            for data set and rung. A resumed run goes on with its own.
        overrides: ``key=value`` texts that change single keys.
        out: Run folder; None makes one under ``runs/``.
        resume: Go on from the run folder's checkpoint.
        epochs: Train this many more epochs of a fine-tuning, save and stop.
        labels: ``fer`` or ``ferplus``: learned are the shares of the votes (less of
            them with ``data.votes``), measured is the emotion with most. None takes
            the recipe's.
        people: For ``folder``: a csv that says who is in each picture.
        exclude: List of images to leave out, such as ``facekit audit`` writes.
        cross: Folder of the recipe's ``data.cross``: another data set that the
            result is tried on.
        allow_missing: Leave out images that cannot be used; of a ``folder`` they
            always are. Standard error says which.

    Returns:
        Where the run is and how far it got.

    Raises:
        FacekitError: With one line for the user.
    """
    for name, given, owner in (("--labels", labels, "fer"), ("--people", people, "folder")):
        if given is not None and dataset != owner:
            raise UsageError(f"{name} goes with {owner}, not with {dataset}")
    if epochs is not None and epochs < 1:
        raise UsageError(f"--epochs is {epochs}: give 1 or more")
    chosen = recipe or recipe_for(dataset, rung)
    with occupied(out, chosen, resume) as run:
        soft = ["data.votes=1.0"] if labels == "ferplus" and not resume else []
        changes = [*soft, *overrides, f"data.source={dataset}"]
        changes += [f"rung={rung}"] if rung else []
        changes += [f"data.labels={labels}"] if labels else []
        resolved = resolve_recipe(run, chosen, changes, resume, TransferRecipe)
        paths = (None if one is None else Path(one) for one in (people, exclude, cross))
        people, exclude, cross = paths
        source = Sources(data, people, exclude, cross, allow_missing)
        if resolved.rung != "auto":
            return train_rung(run, resolved, source, resume=resume, epochs=epochs)
        if epochs is not None:
            raise UsageError("--epochs counts those of one rung: leave it out with --rung auto")
        return climb(run, resolved, source, overrides=changes, resume=resume)


def recipe_for(dataset: str, rung: str | None) -> str:
    """The shipped recipe for a data set and a rung."""
    family = _RECIPES["full" if rung == "scratch" else rung if rung in _RECIPES else "frozen"]
    return family.get(dataset, family["fer"])
