"""Writing a bundle: in one step, and only when it loads and runs."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facekit.bundle.bundle import Bundle
from facekit.bundle.load import load_bundle
from facekit.bundle.manifest import (
    MANIFEST,
    BackboneEntry,
    BaseEntry,
    FileEntry,
    FrameEntry,
    HeadEntry,
    Int8Entry,
    Manifest,
    read_manifest,
    render,
)
from facekit.bundle.session import OnnxBackbone
from facekit.errors import BundleError, UsageError
from facekit.frame import FaceFrame
from facekit.heads.head import Head
from facekit.heads.kinds import load_head
from facekit.system.files import draft_folder


@dataclass(frozen=True, kw_only=True)
class BundleContents:
    """What goes into a bundle.

    Attributes:
        name: Lower-case letters, digits, dots, hyphens; at most 64 characters.
        version: Such as "1".
        frame: The face frame the backbone was trained in.
        onnx: The exported graph, input "crops", outputs named after the parts; of
            the base where there is one.
        family: A name of the backbone catalog.
        config: What rebuilds the backbone in that family.
        parameters: Number of learnt numbers, in [0, inf).
        macs: Multiply-adds a crop, in [0, inf).
        heads: Heads by name.
        head_metrics: Measured numbers by head name.
        half: Store the heads' weights as float16.
        mirror: Average every head's logits over the crop and its mirror image.
        training: Data, teachers, recipe and length of the training.
        data_licences: Licence note by data source.
        metrics: Measured numbers of the whole.
        card: The text of card.md.
        base: Name of the bundle whose backbone this is: the graph is not written
            again, and the base's heads count too. Empty for none.
        files: Further files by name, such as strangers.
    """

    name: str
    version: str
    frame: FaceFrame
    onnx: bytes
    family: str
    config: Mapping[str, Any]
    parameters: int
    macs: int
    heads: Mapping[str, Head] = field(default_factory=dict)
    head_metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    half: bool = False
    mirror: bool = False
    training: Mapping[str, Any] = field(default_factory=dict)
    data_licences: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    card: str = ""
    base: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)


def draft_bundle(
    contents: BundleContents, *, backbone: OnnxBackbone | None = None, below: Bundle | None = None
) -> Bundle:
    """The bundle that the contents would make, in memory: to measure before it is written.

    Args:
        contents: What it holds.
        backbone: The graph, where it is open already.
        below: The bundle that it goes on from: its heads count too.

    Returns:
        The bundle, with the heads as they would be read back; it has no folder.
    """
    opened = backbone or OnnxBackbone(contents.onnx)
    manifest, files = _render_files(contents, opened.parts)
    heads = {name: load_head(files[entry.file], name) for name, entry in manifest.heads.items()}
    if below is not None:
        entries = {**below.manifest.heads, **manifest.heads}
        manifest = manifest.model_copy(update={"heads": entries})
        heads = {**below.heads, **heads}
    return Bundle(Path(), manifest, heads, opened, Path())


def write_bundle(folder: Path, contents: BundleContents) -> Bundle:
    """Write a bundle, load it, run it once, and only then give it its name.

    Args:
        folder: Where it goes; a bundle that is there already is replaced.
        contents: What it holds.

    Returns:
        The bundle, read back from ``folder``.

    Raises:
        UsageError: The folder holds something else.
        BundleError: The parts do not fit together.
    """
    if folder.exists() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty and no model: name a new folder")
    manifest, files = _render_files(contents, OnnxBackbone(contents.onnx).parts)
    with draft_folder(folder) as draft:
        for name, data in files.items():
            (draft / name).write_bytes(data)
        (draft / MANIFEST).write_bytes(render(manifest).encode())
        _try_out(load_bundle(draft))
    return load_bundle(folder)


def _render_files(
    contents: BundleContents, parts: dict[str, tuple[int, ...]]
) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest, and the bytes of every other file by name."""
    files: dict[str, bytes] = {}

    def entry(name: str, data: bytes) -> FileEntry:
        files[name] = data
        return FileEntry(file=name, sha256=hashlib.sha256(data).hexdigest())

    heads = {
        name: HeadEntry(
            **entry(f"head-{name}.npz", head.to_bytes(half=contents.half)).model_dump(),
            kind=head.kind,
            parts=head.parts,
            metrics=dict(contents.head_metrics.get(name, {})),
        )
        for name, head in contents.heads.items()
    }
    graph = entry("backbone.onnx", contents.onnx)
    if contents.base:
        del files[graph.file]
    others = {"card.md": contents.card.encode(), **contents.files}
    frame = contents.frame
    manifest = Manifest(
        name=contents.name,
        version=contents.version,
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        frame=FrameEntry(side=frame.side, eye_y=frame.eye_y, eye_distance=frame.eye_distance),
        parts=parts,
        backbone=BackboneEntry(
            **graph.model_dump(),
            family=contents.family,
            config=dict(contents.config),
            parameters=contents.parameters,
            macs=contents.macs,
        ),
        base=BaseEntry(name=contents.base) if contents.base else None,
        mirror=contents.mirror,
        heads=heads,
        training=dict(contents.training),
        data_licences=dict(contents.data_licences),
        metrics=dict(contents.metrics),
        others=tuple(entry(name, data) for name, data in others.items()),
    )
    return manifest, files


def add_file(folder: Path, name: str, data: bytes) -> Bundle:
    """Add a file that is neither graph nor head, or replace the one of that name.

    Args:
        folder: A bundle that can be written to.
        name: Letters, digits, dots and hyphens.
        data: The file's bytes.

    Returns:
        The bundle, read back.

    Raises:
        BundleError: The bundle is damaged.
    """
    load_bundle(folder)
    return _rewrite(folder, _with_other(read_manifest(folder), name, data), {name: data})


def add_int8(folder: Path, graph: bytes, made: Int8Entry, card: str) -> Bundle:
    """Put a second graph into a bundle, for prediction, or replace the one that is there.

    Args:
        folder: A bundle that can be written to and has its own backbone.
        graph: The ONNX file, with the input and the outputs of the bundle's own.
        made: What is said of it.
        card: The text of card.md that says so too.

    Returns:
        The bundle, read back.

    Raises:
        BundleError: The bundle is damaged, or the graph does not fit it.
    """
    load_bundle(folder)
    text = card.encode()
    changed = _with_other(read_manifest(folder), "card.md", text)
    changed = changed.model_copy(update={"int8": made})
    return _rewrite(folder, changed, {made.file: graph, "card.md": text})


def _with_other(manifest: Manifest, name: str, data: bytes) -> Manifest:
    entry = FileEntry(file=name, sha256=hashlib.sha256(data).hexdigest())
    kept = tuple(one for one in manifest.others if one.file != name)
    return manifest.model_copy(update={"others": (*kept, entry)})


def _rewrite(folder: Path, manifest: Manifest, files: Mapping[str, bytes]) -> Bundle:
    """A bundle with another manifest and these files; a base's heads are not written again."""
    with draft_folder(folder) as draft:
        shutil.copytree(folder, draft, dirs_exist_ok=True)
        for name, data in files.items():
            (draft / name).write_bytes(data)
        (draft / MANIFEST).write_bytes(render(manifest).encode())
        _try_out(load_bundle(draft))
        if manifest.int8 is not None and manifest.base is None:
            _try_out(load_bundle(draft, precision="int8"))
    return load_bundle(folder)


def _try_out(bundle: Bundle) -> None:
    """Embed two blank crops and read every head: nothing may be missing or NaN."""
    side = bundle.backbone.side
    embedding = bundle.embed(np.zeros((2, side, side, 3), np.uint8))
    for name, head in bundle.heads.items():
        if not np.isfinite(head.scores(embedding)).all():
            raise BundleError(f"head {name!r} gives numbers that are not finite for a black crop")
