"""Pack your CelebA and FER-2013, and wheels, into parts below 40 MB for a bare machine.

    python -m gpu.pack PACKS --celeba CELEBA --fer FER [--teacher-table FILE]
    python -m gpu.pack PACKS --wheels 3.12 [--have jax,jaxlib,numpy]

Pictures become WebP in the layouts that facekit reads; those of test partitions stay out.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from facekit.arrays import Int64, UInt8
from facekit.cache.crops import encoded
from facekit.cache.teacher import read_teacher_table, teach
from facekit.datasets.celeba import CARTOON_NOTE, SPLITS, read_celeba
from facekit.datasets.fer import read_fer
from facekit.datasets.table import Table
from facekit.frame import FaceFrame
from facekit.photos.image import decode
from facekit.system.home import cache_folder
from facekit.system.terminal import show_messages, tell

PART: Final = 39_000_000  # bytes
#: Of WebP. On 129 pictures of CelebA, crops of 75 were 36.4 dB from the originals' crops
#: (60: 35.1 dB, a seventh smaller); all 25,785 take 72 MB.
QUALITY: Final = 75
_GREY_QUALITY: Final = 90  # of 48 px pictures, which are read whole
_MARGIN: Final = 2  # pixels kept around what the frame sees
_BLANK: Final = 128


class Parts(io.RawIOBase):
    """A file in parts: ``name.00``, ``name.01``, ...; older ones of its name are removed."""

    def __init__(self, path: Path, size: int = PART) -> None:
        self.path, self.size, self.number, self.room = path, size, 0, 0
        self.file: Any = None
        for old in parts_of(path):
            old.unlink()

    def writable(self) -> bool:
        """It is written once, from its beginning to its end."""
        return True

    def write(self, data: Any) -> int:
        """Append, going on in the next part where this one is full."""
        view = memoryview(data).cast("B")
        while view:
            if not self.room:
                self.close_part()
                self.file = self.path.with_name(f"{self.path.name}.{self.number:02d}").open("wb")
                self.number, self.room = self.number + 1, self.size
            written = self.file.write(view[: self.room])
            view, self.room = view[written:], self.room - written
        return len(memoryview(data).cast("B"))

    def close_part(self) -> None:
        """Finish the part that is open."""
        if self.file is not None:
            self.file.close()

    def close(self) -> None:
        """Finish the last part."""
        self.close_part()
        super().close()


def parts_of(path: Path) -> list[Path]:
    """The parts of a file that ``Parts`` wrote, in order."""
    return sorted(path.parent.glob(f"{path.name}.[0-9][0-9]"))


def pack_celeba(folder: Path, out: Path, teacher_table: Path | None, limit: int = 0) -> None:
    """Write ``celeba.zip``: pictures, lists, and the teacher's vectors as ``teacher.npz``.

    Args:
        folder: CelebA as facekit reads it; only train and validation are read.
        out: Folder of the parts.
        teacher_table: Vectors made elsewhere; None asks the teacher now, of the whole
            pictures.
        limit: First pictures of each split; 0 takes all.
    """
    table = read_celeba(folder, splits=SPLITS[:2], allow_missing=True)
    root = cache_folder() / "teachers"
    if teacher_table is None:
        vectors = teach(table, decode, root=root)
    else:
        vectors = read_teacher_table(teacher_table, table.ids)
    rows = _first(table, limit)
    with Parts(out / "celeba.zip") as file, zipfile.ZipFile(file, "w") as archive:
        for row, picture in zip(rows, _webp(table, rows, QUALITY, FaceFrame()), strict=True):
            name = f"{Path(str(table.ids[row])).stem}.webp"
            archive.writestr(f"celeba/img_align_celeba/{name}", picture)
        for name, text in _lists(table, rows).items():
            archive.writestr(f"celeba/{name}", text, zipfile.ZIP_DEFLATED)
        buffer = io.BytesIO()
        np.savez(buffer, names=table.ids[rows], vectors=vectors[rows].astype(np.float16))
        archive.writestr("celeba/teacher.npz", buffer.getvalue())
        if (folder / CARTOON_NOTE).exists():
            archive.write(folder / CARTOON_NOTE, f"celeba/{CARTOON_NOTE}")
    _say(out / "celeba.zip", f"{len(rows):,} pictures of {len(table):,}")


def _lists(table: Table, rows: Int64) -> dict[str, str]:
    """CelebA's own lists of some rows."""
    ids = [str(table.ids[row]) for row in rows]
    signs = {1: "1", 0: "-1", -1: "0"}
    marks = [" ".join(signs[int(v)] for v in table.labels[row]) for row in rows]
    head = f"{len(ids)}\n{' '.join(table.label_names)}\n"
    parts = [SPLITS.index(str(table.split[row])) for row in rows]
    out = {
        "list_attr_celeba.txt": head + _lines(ids, marks),
        "list_eval_partition.txt": _lines(ids, map(str, parts)),
    }
    if table.person is not None:  # "of <picture>" stands for a person that no list names
        known = [i for i, row in enumerate(rows) if not str(table.person[row]).startswith("of ")]
        people = (str(table.person[rows[i]]) for i in known)
        out["identity_CelebA.txt"] = _lines([ids[i] for i in known], people)
    return out


def _lines(ids: list[str], values: Any) -> str:
    return "".join(f"{name} {value}\n" for name, value in zip(ids, values, strict=True))


def pack_fer(folder: Path, out: Path, limit: int = 0) -> None:
    """Write ``fer.zip``: class folders of train, and of val or, where there is none, test.

    Args:
        folder: FER-2013 as facekit reads it.
        out: Folder of the parts.
        limit: First pictures of each split; 0 takes all.
    """
    table = read_fer(folder)
    names = set(table.split.tolist())
    shown = "val" if "val" in names else "test"
    rows = _first(table, limit)
    rows = rows[np.isin(table.split[rows], ["train", shown])]
    with Parts(out / "fer.zip") as file, zipfile.ZipFile(file, "w") as archive:
        for row, picture in zip(rows, _webp(table, rows, _GREY_QUALITY, None), strict=True):
            place = f"{table.split[row]}/{table.label_names[table.labels[row]]}"
            archive.writestr(f"fer/{place}/{row:05d}.webp", picture)
    _say(out / "fer.zip", f"{len(rows):,} pictures of {len(table):,}, {shown} validates")


def _first(table: Table, limit: int) -> Int64:
    """The first rows of each split, in their order."""
    if not limit:
        return np.arange(len(table))
    found = [np.flatnonzero(table.split == split)[:limit] for split in np.unique(table.split)]
    return np.sort(np.concatenate(found))


def _webp(table: Table, rows: Int64, quality: int, frame: FaceFrame | None) -> Iterator[bytes]:
    def one(source: Path | bytes) -> bytes:
        image = decode(source)
        if frame is not None and table.aligned:
            image = _masked(image, frame, table.aligned)
        done, data = cv2.imencode(".webp", image[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, quality])
        assert done
        return data.tobytes()

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(rows), 512):  # bounds the memory
            yield from pool.map(one, encoded(table, rows[start : start + 512]))


def _masked(image: UInt8, frame: FaceFrame, aligned: str) -> UInt8:
    """The picture, grey where the frame does not look: that costs no bytes."""
    height, width = image.shape[:2]
    matrix = np.vstack([frame.matrix_from_aligned(aligned, width, height), [0, 0, 1]])
    corners = np.array([[0, 0, 1, 1], [0, 1, 0, 1]]) * frame.side
    x, y = (np.linalg.inv(matrix) @ np.vstack([corners, np.ones(4)]))[:2]
    left, top = (max(0, int(v.min()) - _MARGIN) for v in (x, y))
    right, bottom = (int(v.max()) + _MARGIN + 1 for v in (x, y))
    out = np.full_like(image, _BLANK)
    out[top:bottom, left:right] = image[top:bottom, left:right]
    return out


def pack_wheels(out: Path, python: str, have: set[str]) -> None:
    """Write ``wheels.zip``: what facekit trains with on JAX, for 64-bit Linux.

    Args:
        out: Folder of the parts.
        python: Version of the machine's Python, such as 3.12.
        have: Packages that the machine has.
    """
    project = Path(__file__).resolve().parents[1] / "pyproject.toml"
    table = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    wanted = [*table["dependencies"], *table["optional-dependencies"]["jax"]]
    wanted = [one for one in wanted if _package(one) not in have]
    with tempfile.TemporaryDirectory() as folder:
        system = [f"--platform=manylinux_2_{n}_x86_64" for n in (28, 27, 17)]
        system += ["--platform=manylinux2014_x86_64", "--only-binary=:all:"]
        command = [sys.executable, "-m", "pip", "download", "--dest", folder, "-q", *system]
        subprocess.run([*command, f"--python-version={python}", *wanted], check=True)
        wheels = [p for p in sorted(Path(folder).iterdir()) if _package(p.name) not in have]
        with Parts(out / "wheels.zip") as file, zipfile.ZipFile(file, "w") as archive:
            for path in wheels:
                archive.write(path, f"wheels/{path.name}")
    _say(out / "wheels.zip", f"{len(wheels)} wheels")


def _package(text: str) -> str:
    """Name of a requirement or of a wheel, in one spelling."""
    return re.split(r"[<>=!\[;]|-\d", text)[0].strip().lower().replace("_", "-")


def _say(path: Path, what: str) -> None:
    sizes = [part.stat().st_size / 1e6 for part in parts_of(path)]
    tell(f"{path.name}: {what}; parts of {', '.join(f'{size:.1f}' for size in sizes)} MB")


def main(words: list[str] | None = None) -> None:
    """Write what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m gpu.pack", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("out", type=Path)
    for name in ("--celeba", "--fer", "--teacher-table"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--limit", type=int, default=0, help="first pictures of each split")
    parser.add_argument("--wheels", metavar="PYTHON", help="version of the machine's Python")
    parser.add_argument("--have", default="jax,jaxlib", help="packages that the machine has")
    given = parser.parse_args(words)
    show_messages()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.celeba is not None:
        pack_celeba(given.celeba, given.out, given.teacher_table, given.limit)
    if given.fer is not None:
        pack_fer(given.fer, given.out, given.limit)
    if given.wheels is not None:
        pack_wheels(given.out, given.wheels, {_package(one) for one in given.have.split(",")})


if __name__ == "__main__":
    main()
