"""``facekit predict``: photos to faces and what every head says about them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facekit.cli.arguments import Detector, Model
from facekit.errors import FacekitError, UsageError
from facekit.system.files import sweep_drafts
from facekit.system.inputs import Failure, expand
from facekit.system.terminal import tell

if TYPE_CHECKING:
    from facekit.predict import FaceModel


Record = dict[str, Any]


def predict(
    inputs: Annotated[
        list[str], typer.Argument(metavar="PHOTO|FOLDER|GLOB...", help="What to look at.")
    ],
    model: Model = None,
    detector: Detector = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON list of records and nothing else.")
    ] = False,
    jsonl: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one JSON record a line.")
    ] = None,
    annotate: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Save pictures with boxes and labels; replaces no file."),
    ] = None,
    identities: Annotated[
        str,
        typer.Option(
            metavar="auto|all|matches|none|NAME",
            help="Who is looked for; several names with commas. matches: all, without those "
            "whose verdict is no, who are counted; auto: matches where more than 10 are enrolled.",
        ),
    ] = "auto",
    precision: Annotated[
        str,
        typer.Option(
            metavar="auto|float|int8",
            help="Which graph of the model; auto: int8 where it loses next to nothing.",
        ),
    ] = "auto",
) -> None:
    """Find faces in photos and say what is in them.

    One record for every input, always. When somebody is enrolled every face has
    "identities" too: score, probability and verdict by name. Where those of "no" are
    left out, "identities_no" says how many there are.

    Exit code: 0 when every input gave a record without an error, 1 when some
    record carries an error or a picture was not annotated, 2 when an option or
    the model cannot be used.
    """
    items = list(expand(inputs))
    failed = 0
    with ExitStack() as stack:
        if annotate:
            _make(annotate)
        sinks = _sinks(stack, as_json, jsonl)
        for record in _records(_load(model, detector, identities, precision), items):
            good = record["error"] is None
            if good and annotate:
                good = _annotate(record, annotate)
            failed += not good
            for sink in sinks:
                sink(record)
    if failed:
        tell(f"facekit: {failed} of {len(items)} inputs gave an error")
        raise typer.Exit(1)


def _load(model: str | None, detector: str, identities: str, precision: str) -> FaceModel:
    # Before the first import: BLAS starts no threads, which would wait beside ONNX Runtime's
    # own, and pydantic does not ask every package that is installed whether it is a plugin.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from facekit.predict import load

    names = [name.strip() for name in identities.split(",")]
    wanted = identities if identities in ("auto", "all", "matches", "none") else names
    return load(model, detector=detector, identities=wanted, precision=precision)  # type: ignore[arg-type]


def _sinks(stack: ExitStack, as_json: bool, jsonl: Path | None) -> list[Callable[[Record], None]]:
    from facekit.cli.output import JsonLines, JsonList, PeopleTable

    sinks: list[Callable[[Record], None]] = []
    if jsonl:
        sinks.append(stack.enter_context(JsonLines.open(jsonl)).write)
    if as_json or not jsonl:
        shown = JsonList() if as_json else PeopleTable()
        sinks.append(shown.write)
        stack.push(lambda kind, *_: None if kind else shown.close())
    return sinks


def _records(model: FaceModel, items: Iterable[Path | Failure]) -> Iterator[Record]:
    """One record for every item, in order; the model sees the files alone."""
    waiting: deque[Path | Failure] = deque()

    def files() -> Iterator[Path]:
        for item in items:
            waiting.append(item)
            if isinstance(item, Path):
                yield item

    def failures() -> Iterator[Record]:
        while waiting and isinstance(waiting[0], Failure):
            yield _failure(waiting.popleft())  # type: ignore[arg-type]

    for analysis in model.analyze_many(files()):
        yield from failures()
        waiting.popleft()
        yield analysis.record()
    yield from failures()


def _failure(failure: Failure) -> Record:
    from facekit.results import Analysis

    return Analysis(failure.path, failure.error).record()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep_drafts(folder)
    except OSError as error:
        raise UsageError(f"cannot make --annotate {folder}: {error.strerror}") from None


def _annotate(record: Record, folder: Path) -> bool:
    """Save the picture of a record with its boxes; False, and a warning, if that fails."""
    from facekit.photos.image import read_picture
    from facekit.report.annotate import draw_faces, save_beside

    path = Path(record["path"])
    try:  # the file may have changed since the model saw it, or the disk be full
        image = read_picture(path).rgb
        scale = image.shape[1] / record["width"]
        save_beside(draw_faces(image, record["faces"], scale), folder, path.name)
    except (FacekitError, OSError) as error:
        tell(f"facekit: {path} is not annotated: {error}")
        return False
    return True
