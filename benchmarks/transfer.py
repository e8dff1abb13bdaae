"""How well a frozen backbone transfers: identity, strangers, emotions.

Three numbers choose a backbone: the cosine to the identity teacher on CelebA's
validation images, verification of people it never saw (LFW layout), and a linear
probe for emotions (FER-2013 folders). The heads of a bundle play no part.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.people import verify_people
from benchmarks.registry import BenchOptions
from facekit.bundle.bundle import Bundle
from facekit.bundle.load import load_bundle
from facekit.cache.crops import build_cache
from facekit.cache.extract import extract
from facekit.datasets.fer import read_fer
from facekit.errors import DataError, ImageError, UsageError
from facekit.heads.logistic import fit_logistic, standardise
from facekit.photos.align import align
from facekit.photos.detect import find_detector
from facekit.photos.detection import Detector
from facekit.photos.image import decode
from facekit.system.home import cache_folder

#: L2 of the probe on standardised features, fixed for all backbones: the best of
#: five on a held-out tenth of FER's training images (data/trials.md).
_L2: Final = 2000.0
_ENROLLED: Final = 10  # photos averaged into a person's template
_DRAWS: Final = 3  # choices of those photos

Floats = NDArray[np.float32]


def measure_transfer(options: BenchOptions) -> dict[str, Any]:
    """Run the three measurements on what the data folder has.

    Args:
        options: ``data`` holds any of ``celeba``, ``lfw`` and ``fer2013``;
            ``model`` is the bundle.

    Returns:
        ``{"model", "backbone", "identity_cosine", "lfw", "fer"}``; None where the
        data or the backbone's identity part is missing.

    Raises:
        UsageError: No data folder, or none of the three in it.
    """
    if options.data is None:
        raise UsageError("transfer needs --data: a folder with celeba/, lfw/ or fer2013/")
    bundle = load_bundle(options.model)
    places = {name: options.data / name for name in ("celeba", "lfw", "fer2013")}
    there = [name for name, path in places.items() if path.is_dir()]
    if not there:
        raise UsageError(f"{options.data} has none of celeba/, lfw/ and fer2013/")
    known = "identity" in bundle.manifest.parts
    return {
        "model": bundle.name,
        "backbone": bundle.manifest.backbone.sha256[:12],
        "identity_cosine": teacher_cosine(bundle, places["celeba"]) if "celeba" in there else None,
        "lfw": verify_strangers(bundle, places["lfw"], options.seed)
        if known and "lfw" in there
        else None,
        "fer": probe_emotions(bundle, places["fer2013"]) if "fer2013" in there else None,
    }


def render(record: dict[str, Any]) -> str:
    """The record as lines for people."""
    lines = [f"{record['model']} (backbone {record['backbone']})"]
    cosine = record["identity_cosine"]
    if cosine is not None:
        lines.append(f"identity teacher, CelebA validation: cosine {cosine:.3f}")
    for name, title in (("lfw", "LFW people"), ("fer", "FER-2013 linear probe")):
        for key, value in (record[name] or {}).items():
            shown = f"{value:.4f}" if isinstance(value, float) else str(value)
            lines.append(f"{title}: {key} {shown}")
    return "\n".join(lines)


def teacher_cosine(bundle: Bundle, folder: Path) -> float | None:
    """Mean cosine of the identity part to the teacher on validation images.

    Args:
        bundle: Its backbone needs a part ``identity``.
        folder: CelebA with ``teacher_dlib.npz`` (names and vectors) beside it.

    Returns:
        A number in [-1, 1], or None without a table of vectors as long as the
        identity part, or where it knows none of the validation images.
    """
    from facekit.cache.teacher import read_teacher_table, to_targets
    from facekit.datasets.celeba import read_celeba

    path = folder / "teacher_dlib.npz"
    if not path.exists() or "identity" not in bundle.manifest.parts:
        return None
    table = read_celeba(folder, splits=("train", "val"), allow_missing=True)
    cache = build_cache(table, bundle.frame, root=cache_folder() / "crops")
    vectors = read_teacher_table(path, table.ids)
    if vectors.shape[1:] != tuple(bundle.manifest.parts["identity"]):
        return None
    unit, _ = to_targets(vectors, np.flatnonzero(table.split == "train"))
    rows = np.flatnonzero((table.split == "val") & cache.ok & unit.any(1))
    if not len(rows):
        return None
    said = _identity(bundle, np.asarray(cache.crops[rows]))
    return float((said * unit[rows]).sum(1).mean())


def verify_strangers(bundle: Bundle, folder: Path, seed: int = 0) -> dict[str, Any]:
    """Verification with the mean of ten identity vectors as template.

    Args:
        bundle: Its backbone needs a part ``identity``.
        folder: ``persons/<name>/*.jpg`` and ``strangers/*.jpg``.
        seed: Of the draws of enrolled photos.

    Returns:
        AUC, EER, FNMR at FMR 1 % and 0.1 %, averaged over people and three draws,
        with 95 % intervals of the first draw. People with ten faces or fewer are
        left out.

    Raises:
        DataError: There are no strangers, or nobody has enough faces.
    """
    people = [p for p in sorted((folder / "persons").glob("*")) if p.is_dir()]
    detector = find_detector("auto")
    every = (_embed_photos(bundle, detector, person) for person in people)
    vectors = [mine for mine in every if len(mine) > _ENROLLED]
    if not vectors:
        raise DataError(f"{folder / 'persons'} needs people with more than {_ENROLLED} faces each")
    strangers = _embed_photos(bundle, detector, folder / "strangers")
    if not len(strangers):
        raise DataError(f"no face was found in the photos of {folder / 'strangers'}")
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(_DRAWS):
        genuine, impostor = [], []
        for mine in vectors:
            order = rng.permutation(len(mine))
            template = mine[order[:_ENROLLED]].mean(0)
            genuine.append(mine[order[_ENROLLED:]] @ template)
            impostor.append(strangers @ template)
        draws.append(verify_people(genuine, np.stack(impostor)))
    means = {k: float(np.mean([d.metrics[k] for d in draws])) for k in draws[0].metrics}
    return {
        "detector": detector.name,
        "people": len(vectors),
        "strangers": len(strangers),
        **means,
        "intervals": {k: [round(v, 4) for v in pair] for k, pair in draws[0].intervals.items()},
    }


def probe_emotions(bundle: Bundle, folder: Path) -> dict[str, Any]:
    """Logistic regression on every part of the frozen embedding.

    Args:
        bundle: Any.
        folder: FER-2013 class folders, ``train/`` and ``test/``.

    Returns:
        Accuracy and macro F1 on ``test/`` with both mirror views averaged.
    """
    from sklearn.metrics import f1_score

    table = read_fer(folder)
    cache = build_cache(table, bundle.frame, root=cache_folder() / "crops")
    train = np.flatnonzero((table.split == "train") & cache.ok)
    test = np.flatnonzero((table.split == "test") & cache.ok)
    x = _features(bundle, cache.crops, train)
    mean, scale = standardise(x)
    x -= mean
    x /= scale
    labels = np.asarray(table.labels, np.int64)
    weight, bias = fit_logistic(x, labels[train], l2=_L2, classes=7, max_iter=60)
    del x
    logits = sum(
        ((_features(bundle, cache.crops, test, mirror=m) - mean) / scale) @ weight + bias
        for m in (False, True)
    )
    found = np.argmax(logits, axis=1)
    return {
        "train": len(train),
        "test": len(test),
        "accuracy": float((found == labels[test]).mean()),
        "macro_f1": float(f1_score(labels[test], found, average="macro")),
    }


def _features(
    bundle: Bundle, crops: NDArray[np.uint8], rows: NDArray[np.int64], *, mirror: bool = False
) -> Floats:
    parts = extract(crops, bundle, rows=rows, mirror=mirror)
    return np.concatenate([value.reshape(len(rows), -1) for value in parts.values()], axis=1)


def _embed_photos(bundle: Bundle, detector: Detector, folder: Path) -> Floats:
    """Identity vectors (n, d) of the most central face of each photo that has one."""
    crops = []
    for path in sorted(folder.glob("*.jpg")):
        try:
            rgb = decode(path)
        except ImageError:
            continue
        found = detector.detect(rgb)
        if found:
            middle = np.array(rgb.shape[1::-1]) / 2
            best = min(
                found,
                key=lambda one: float(
                    np.hypot(*(np.add(one.box[:2], np.divide(one.box[2:], 2)) - middle))
                ),
            )
            crops.append(
                align(rgb, best, bundle.frame, detector=detector.name, refine=bundle.refiner())[0]
            )
    side = bundle.frame.side
    return _identity(bundle, np.stack(crops) if crops else np.zeros((0, side, side, 3), np.uint8))


def _identity(bundle: Bundle, crops: NDArray[np.uint8]) -> Floats:
    """Unit identity vectors, averaged over the mirror image."""
    both = [extract(crops, bundle, parts=["identity"], mirror=m)["identity"] for m in (False, True)]
    total = both[0] + both[1]
    out: Floats = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
    return out
