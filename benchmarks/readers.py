"""What reads files from elsewhere, and whole files to damage."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from facekit.arrays import AnyArray, Float32


@dataclass(frozen=True)
class Reader:
    """A reader of one kind of file.

    Attributes:
        name: What the file is called, too.
        read: Reads a file; only a FacekitError may leave it.
        whole: Makes files that it reads.
        mend: Brings a checksum back in order behind a mutation.
        needs: A package without which it is left out.
    """

    name: str
    read: Callable[[Path], object]
    whole: Callable[[], list[bytes]]
    mend: Callable[[bytes], bytes] = bytes
    needs: str = "numpy"


def _face() -> Image.Image:
    from facekit.cartoon import draw_face, make_person

    rng = np.random.default_rng(3)
    return Image.fromarray(draw_face(make_person(0, 1), "happy", rng, (72, 64))[0])


def _saved(kind: str, image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _pictures() -> list[bytes]:
    """Every format, in the ways in which it is written."""
    rgb = _face()
    grey, bit, palette = rgb.convert("L"), rgb.convert("1"), rgb.quantize(64)
    rgba = rgb.convert("RGBA")
    rgba.putalpha(grey)
    exif = Image.Exif()
    exif[274], exif[306], exif[36867] = 6, "2020:01:02 03:04:05", "2020:01:02 03:04:05"
    block, two = exif.tobytes(), {"save_all": True, "append_images": [rgb.rotate(90)]}
    out = [_saved("JPEG", rgb, exif=block, **o) for o in ({}, {"progressive": True})]
    out += [
        _saved("JPEG", grey),
        _saved("JPEG", rgb.convert("CMYK")),
        _saved("JPEG", rgb, restart_marker_blocks=4),
    ]
    out += [_saved("PNG", image) for image in (rgba, grey, bit, grey.convert("LA"))]
    out += [
        _saved("PNG", palette, transparency=3),
        _saved("PNG", rgb, exif=block),
        _saved("PNG", rgb, **two),
    ]
    out += [
        _saved("WEBP", rgb, exif=block),
        _saved("WEBP", rgba, lossless=True),
        _saved("WEBP", rgb, **two),
    ]
    out += [
        _saved("GIF", palette),
        _saved("GIF", palette, transparency=5),
        _saved("GIF", rgb, **two),
    ]
    packings = ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", None)
    out += [_saved("TIFF", rgb, compression=packing) for packing in packings]
    out += [
        _saved("TIFF", bit, compression="group4"),
        _saved("TIFF", rgba, compression="tiff_lzw", **two),
    ]
    out += [_saved("BMP", image) for image in (rgb, palette, bit, rgba)]
    out += [_saved("AVIF", rgb, exif=block), _saved("AVIF", rgba), _saved("AVIF", rgb, **two)]
    out += [_saved("PPM", image) for image in (rgb, grey, bit)]
    text = " ".join(map(str, np.asarray(grey.resize((20, 15))).ravel()))
    return [*out, f"P2\n# a comment\n20 15\n255\n{text}\n".encode()]


def _read_picture(path: Path) -> None:
    from facekit.photos.image import read_picture, taken_at

    taken_at(path)
    read_picture(path)


def _heads() -> list[bytes]:
    from facekit.heads.kinds import LinearHead, MlpHead

    def drawn(*shape: int) -> Float32:
        return np.random.default_rng(0).normal(size=shape).astype(np.float32)

    linear = LinearHead(
        parts=("pooled", "grid"), labels=("a", "b"), weight=drawn(7, 2),
        bias=drawn(2), mean=drawn(7), scale=np.ones(7, np.float32), thresholds=drawn(2),
    )  # fmt: skip
    layers = ((drawn(7, 5), drawn(5)), (drawn(5, 2), drawn(2)))
    mlp = MlpHead(parts=("pooled",), labels=("a", "é"), layers=layers, activation="softmax")
    return [linear.to_bytes(), mlp.to_bytes()]


def _read_head(path: Path) -> None:
    from facekit.heads.kinds import load_head

    head = load_head(path)
    width = head.sizes[0]
    if len(head.parts) == 1 and not head.channels:
        head.scores({head.parts[0]: np.ones((2, width), np.float32)})


def _manifests() -> list[bytes]:
    from facekit.bundle.load import shipped_folder

    return [path.read_bytes() for path in sorted(shipped_folder().glob("*/manifest.json"))]


def _reseal(data: bytes) -> bytes:
    """The hash that a damaged record needs to be believed."""
    from facekit.bundle.manifest import seal

    try:
        record = json.loads(data)
        record.pop("sha256", None)
        return seal(record).encode()
    except Exception:
        start, mark, rest = data.rpartition(b'"sha256": "')
        if not mark or len(rest) < 64:
            return data
        digest = hashlib.sha256(start + mark + b"0" * 64 + rest[64:]).hexdigest()
        return start + mark + digest.encode() + rest[64:]


def _read_manifest(path: Path) -> None:
    from facekit.bundle.manifest import MANIFEST, read_manifest, render

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / MANIFEST).write_bytes(path.read_bytes())
        render(read_manifest(Path(folder)))


def _zipped(arrays: dict[str, AnyArray]) -> list[bytes]:
    made = []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, **arrays)  # type: ignore[arg-type]
        made.append(buffer.getvalue())
    return made


def _tables() -> list[bytes]:
    vectors = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    return _zipped({"names": np.array([f"{i}.jpg" for i in range(20)]), "vectors": vectors})


def _checkpoints() -> list[bytes]:
    rng = np.random.default_rng(0)
    return _zipped({f"model/{i}": rng.normal(size=(3, i + 1)) for i in range(3)})


def _read_table(path: Path) -> None:
    from facekit.cache.teacher import read_teacher_table

    read_teacher_table(path, np.array([f"{i}.jpg" for i in range(20)]))


def _read_checkpoint(path: Path) -> None:
    from facekit.training.checkpoint import load_weights

    load_weights(path)


def _recipes() -> list[bytes]:
    from facekit.recipe.load import list_recipes

    return [recipe.path.read_bytes() for recipe in list_recipes()]


def _read_recipe(path: Path) -> None:
    from facekit.recipe.load import load_recipe, to_toml

    to_toml(load_recipe(path))


def _records() -> list[bytes]:
    from facekit.datasets.tfrecord import find_tensorflow

    tf, picture = find_tensorflow(), _saved("PNG", _face().resize((8, 8)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.tfrecord"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for label in range(3):
                features = {
                    "image/encoded": tf.train.Feature(
                        bytes_list=tf.train.BytesList(value=[picture])
                    ),
                    "image/class/label": tf.train.Feature(
                        int64_list=tf.train.Int64List(value=[label])
                    ),
                }
                example = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(example.SerializeToString())
        return [path.read_bytes()]


def _read_records(path: Path) -> None:
    from facekit.datasets.tfrecord import read_tfrecord

    read_tfrecord(path)


def _lists() -> list[bytes]:
    from facekit.labels import ATTRIBUTES

    head = f"3\n{' '.join(ATTRIBUTES)}\n"
    rows = "".join(f"{i:06}.jpg {' '.join(['1', '-1'] * 20)}\n" for i in range(3))
    pairs = "".join(f"{i:06}.jpg {i}\n" for i in range(3))
    pixels = "".join(f"{i},{' '.join(['7'] * 2304)},Training\n" for i in range(3))
    return [text.encode() for text in (head + rows, pairs, f"emotion,pixels,Usage\n{pixels}")]


def _read_list(path: Path) -> None:
    from facekit.datasets import celeba, fer, splits
    from facekit.errors import FacekitError

    readers: tuple[Callable[[Path], object], ...] = (
        celeba.read_attributes, celeba.read_partitions, celeba.read_identities,
        splits.read_excluded, lambda path: fer.read_pixel_csv(path, ("train", "val", "test")),
    )  # fmt: skip
    for read in readers:
        try:
            read(path)
        except FacekitError:
            continue


#: Every reader of pictures, and of everything else.
PICTURES: Final = (Reader("picture", _read_picture, _pictures),)
ARTIFACTS: Final = (
    Reader("head.npz", _read_head, _heads),
    Reader("manifest.json", _read_manifest, _manifests, _reseal),
    Reader("teacher.npz", _read_table, _tables),
    Reader("checkpoint.npz", _read_checkpoint, _checkpoints, needs="keras"),
    Reader("recipe.toml", _read_recipe, _recipes),
    Reader("train.tfrecord", _read_records, _records, needs="tensorflow"),
    Reader("list.csv", _read_list, _lists),
)
