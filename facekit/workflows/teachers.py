"""The bundles that a recipe names as teachers: found, checked, told."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facekit.backbones.catalog import check_family
from facekit.bundle.bundle import IDENTITY, Bundle
from facekit.bundle.load import load_bundle
from facekit.bundle.manifest import MANIFEST, read_manifest
from facekit.errors import RecipeError
from facekit.frame import FaceFrame
from facekit.heads.head import Activation, Head
from facekit.recipe.schema import DistillSpec

if TYPE_CHECKING:
    from facekit.training.teachers import Teacher, Teaching

#: Labels named in an error.
_NAMED = 8


def open_teachers(spec: DistillSpec) -> tuple[Bundle, ...]:
    """Load the models that a recipe names; none where they have no weight.

    Args:
        spec: The recipe's ``distill``: names, paths of bundles, or of finished runs.

    Returns:
        Their bundles.

    Raises:
        BundleError: One cannot be found or read.
        RecipeError: One's backbone cannot be built again.
    """
    if not spec.active:
        return ()
    found = tuple(load_bundle(_bundle_in(name)) for name in spec.teachers)
    for bundle in found:
        check_family(bundle.manifest.backbone.family)
    return found


def _bundle_in(name: str) -> str:
    """A run folder's bundle, else what was named."""
    inside = Path(name).expanduser() / "bundle"
    return str(inside) if (inside / MANIFEST).is_file() else name


def choose_heads(
    spec: DistillSpec,
    bundles: Sequence[Bundle],
    names: tuple[str, ...],
    activation: Activation,
    identity_size: int = 0,
) -> tuple[Teacher, ...]:
    """Find what each teacher says of the student's labels, by their names.

    Args:
        spec: What has a weight.
        bundles: From ``open_teachers``.
        names: The student's labels.
        activation: "softmax" for classes, "sigmoid" for attributes.
        identity_size: Of the student's identity part.

    Returns:
        The teachers, as ``training.teachers.build_teachers`` takes them.

    Raises:
        RecipeError: One lacks a label, or the identity part, or has another one.
    """
    for bundle in bundles if spec.identity else ():
        shape = bundle.parts.get(IDENTITY, ())
        if shape != (identity_size,):
            raise RecipeError(
                f"distill.teachers: {bundle.folder.name} has identity vectors of "
                f"{shape[0] if shape else 0} numbers, the student's have {identity_size}: "
                "set distill.identity to 0, or name other teachers"
            )
    return tuple((one, _head_of(one, names, activation, spec)) for one in bundles)


def _head_of(
    bundle: Bundle, names: tuple[str, ...], activation: Activation, spec: DistillSpec
) -> Head | None:
    """The head that has all names; a bundle's own comes before its base's."""
    if not spec.weight:
        return None
    heads = [one for one in bundle.heads.values() if one.activation == activation and one.dense]
    for head in reversed(heads):
        if set(names) <= set(head.labels):
            return head
    kind = "classes" if activation == "softmax" else "attributes"
    best = max(heads, key=lambda one: len(set(names) & set(one.labels)), default=None)
    has = "none" if best is None else _listed(best.labels)
    missing = [name for name in names if best is None or name not in best.labels]
    raise RecipeError(
        f"distill.teachers: {bundle.folder} has the {kind} {has} and lacks {_listed(missing)}, "
        f"and the student learns {_listed(names)}: name a model that has them all"
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def teaching(
    spec: DistillSpec, teachers: Sequence[Teacher], frame: FaceFrame, names: tuple[str, ...]
) -> Teaching | None:
    """What ``training.batches.Batches`` asks about its images; None without teachers."""
    if not teachers:
        return None
    from facekit.training.teachers import Teaching, build_teachers

    return Teaching(build_teachers(teachers, frame, names, spec))


def who_taught(bundles: Sequence[Bundle]) -> list[str]:
    """Who taught, for manifest and card: name, version and hash, no path of this machine."""
    return [name_bundle(bundle.folder) for bundle in bundles]


def name_bundle(folder: Path) -> str:
    """A bundle's own name, version and the hash of its manifest, which has all others."""
    own = read_manifest(folder)  # a bundle of heads alone: the loaded one bears its base's name
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    return f"{own.name} {own.version}, sha256 {digest[:16]}"


def teachers_licences(bundles: Sequence[Bundle]) -> dict[str, str]:
    """Licence notes of what the teachers learned from: their outputs were targets."""
    return {
        name: note
        for bundle in bundles
        for name, note in read_manifest(bundle.folder).data_licences.items()
    }
