"""CelebA through TensorFlow Datasets' own builder (`celeb_a`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit.arrays import Int64
from facekit.datasets.celeba import SPLITS, require_splits
from facekit.datasets.table import Table
from facekit.errors import DataError, MissingExtraError
from facekit.labels import ATTRIBUTES

_NAMES: Final = {"train": "train", "val": "validation", "test": "test"}


def read_tfds(
    data_dir: Path | None,
    *,
    splits: tuple[str, ...] = SPLITS,
    download: bool = True,
    name: str = "celeb_a",
) -> Table:
    """Read the labels of a TFDS CelebA; images stay encoded and are streamed.

    Args:
        data_dir: TFDS folder; None for its default, ``~/tensorflow_datasets``.
        splits: Which of "train", "val" and "test" to return; others are not
            opened.
        download: Download and prepare the data if they are not there. The public
            download often hits a quota; a local folder (``read_celeba``) does not.
        name: TFDS name, with a version if one is wanted (``"celeb_a/2.1.0"``).

    Returns:
        Table with int8 labels of shape (n, 40); ``ids`` are TFDS' own ids and
        ``person`` is None when the version has no identities.

    Raises:
        MissingExtraError: tensorflow or tensorflow-datasets is not installed.
        DataError: The data are not there and cannot be prepared, or lack an
            attribute.
        UsageError: ``splits`` names something else.
    """
    require_splits(splits)
    builder = _builder(data_dir, name, download)
    has_identity = "identity" in builder.info.features
    rows: dict[str, list[Any]] = {"id": [], "label": [], "person": [], "split": []}
    counts = []
    for split in sorted(splits, key=SPLITS.index):
        before = len(rows["id"])
        for example in _examples(builder, split, has_identity):
            rows["id"].append(example["tfds_id"].decode())
            rows["label"].append([example["attributes"][key] for key in ATTRIBUTES])
            rows["split"].append(split)
            if has_identity:
                rows["person"].append(str(example["identity"]["Identity_No"]))
        counts.append((split, len(rows["id"]) - before))
    return Table(
        name="celeba",
        ids=np.array(rows["id"], dtype=np.str_),
        images=_TfdsImages(builder, tuple(counts)),
        labels=np.array(rows["label"], dtype=np.int8).reshape(-1, len(ATTRIBUTES)),
        label_names=ATTRIBUTES,
        split=np.array(rows["split"], dtype=np.str_),
        person=np.array(rows["person"], dtype=np.str_) if has_identity else None,
        aligned="celeba",
    )


@dataclass(frozen=True)
class _TfdsImages:
    """JPEG bytes of the splits, one after the other, in TFDS' order."""

    builder: Any
    counts: tuple[tuple[str, int], ...]

    def __len__(self) -> int:
        return sum(count for _, count in self.counts)

    def stream(self, rows: Int64) -> Iterator[bytes]:
        """Yield the encoded images of ascending rows; each split is read once.

        Raises:
            ValueError: The rows do not ascend or lie outside.
        """
        wanted = np.asarray(rows, np.int64)
        if len(wanted) and (wanted[0] < 0 or wanted[-1] >= len(self)):
            raise ValueError(f"rows {wanted[0]} to {wanted[-1]} of {len(self)} images")
        if (np.diff(wanted) <= 0).any():
            raise ValueError("a stream reads rows in ascending order only")
        start = 0
        for split, count in self.counts:
            part = wanted[(wanted >= start) & (wanted < start + count)] - start
            if len(part):
                yield from self._read(split, part)
            start += count

    def _read(self, split: str, part: Int64) -> Iterator[bytes]:
        import tensorflow_datasets as tfds

        decoding = tfds.decode.PartialDecoding(
            {"image": True}, decoders={"image": tfds.decode.SkipDecoding()}
        )
        config = tfds.ReadConfig(try_autocache=False)  # a part of a split is no cache
        data = self.builder.as_dataset(split=_NAMES[split], decoders=decoding, read_config=config)
        first, last = int(part[0]), int(part[-1])
        flags = np.zeros(last - first + 1, dtype=bool)
        flags[part - first] = True
        examples = data.skip(first).take(len(flags)).as_numpy_iterator()
        for wanted, example in zip(flags.tolist(), examples, strict=True):
            if wanted:
                yield example["image"]


def _builder(data_dir: Path | None, name: str, download: bool) -> Any:
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        advice = "a local folder with --data needs no extra"
        raise MissingExtraError("tensorflow_datasets", "train", advice) from error
    try:
        builder = tfds.builder(name, data_dir=None if data_dir is None else str(data_dir))
        if download:
            builder.download_and_prepare()
    except Exception as error:  # TFDS raises its own, requests', Drive's and OS errors
        raise DataError(
            f"TFDS cannot prepare {name!r} ({_first_line(error)}); download CelebA yourself "
            "and use the folder with --source celeba --data DIR"
        ) from error
    if not download and not Path(builder.data_dir).is_dir():
        raise DataError(
            f"TFDS has no prepared {name!r} in {builder.data_dir}; allow the download or "
            "name the right folder"
        )
    features = builder.info.features
    known: Any = ()
    if "attributes" in features:
        known = features["attributes"]
    missing = [key for key in ATTRIBUTES if key not in known]
    if missing or "image" not in features:
        raise DataError(f"TFDS {name!r} has no CelebA attributes ({len(missing)} are missing)")
    return builder


def _examples(builder: Any, split: str, has_identity: bool) -> Iterator[dict[str, Any]]:
    """Labels of a split, without its images."""
    import tensorflow_datasets as tfds

    wanted = {"attributes": True} | ({"identity": True} if has_identity else {})
    data = builder.as_dataset(
        split=_NAMES[split],
        decoders=tfds.decode.PartialDecoding(wanted),
        read_config=tfds.ReadConfig(add_tfds_id=True, try_autocache=False),
    )
    examples: Iterator[dict[str, Any]] = data.as_numpy_iterator()
    return examples


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:160]}" if lines else type(error).__name__
