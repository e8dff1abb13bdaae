"""The crop cache: right, keyed, resumable, safe against a second process."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import filelock
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from facekit.cache import array as building
from facekit.cache import crops as caching
from facekit.cache.crops import build_cache, cache_key
from facekit.datasets.table import Table
from facekit.errors import DataError, ImageError
from facekit.frame import FaceFrame
from facekit.photos import image as reading
from facekit.photos.detection import Detection
from facekit.photos.image import decode

FRAME = FaceFrame(side=24)
ROOT = Path(__file__).parents[2]


def draw(folder: Path, n: int) -> list[Path]:
    """n different pictures in the format of CelebA."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{i:03d}.png" for i in range(n)]
    for i, path in enumerate(paths):
        small = np.random.default_rng(i).integers(0, 256, (9, 7, 3), np.uint8)
        assert cv2.imwrite(str(path), cv2.resize(small, (178, 218)))
    return paths


def as_table(images: object, n: int, *, aligned: str | None = "celeba") -> Table:
    return Table(
        name="drawn",
        ids=np.array([f"{i:03d}.png" for i in range(n)]),
        images=images,  # type: ignore[arg-type]
        labels=np.zeros((n, 40), np.int8),
        label_names=(),
        split=np.array(["train"] * n),
        aligned=aligned,
    )


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return draw(tmp_path / "images", 30)


@pytest.fixture
def table(paths: list[Path]) -> Table:
    return as_table(paths, len(paths))


def direct(path: Path) -> NDArray[np.uint8]:
    return FRAME.warp(decode(path), FRAME.matrix_from_aligned("celeba", 178, 218))


def test_crops_are_what_a_direct_warp_gives(
    table: Table, paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "BLOCK", 7)
    cache = build_cache(table, FRAME, root=tmp_path / "cache", workers=3, progress=False)
    assert np.array_equal(cache.crops, [direct(path) for path in paths])
    assert isinstance(cache.crops, np.memmap)
    assert not cache.crops.flags.writeable
    assert cache.crops.dtype == np.uint8
    assert cache.ok.all()
    assert cache.ok.dtype == bool
    assert cache.errors == {}
    assert np.array_equal(cache.ids, table.ids)
    assert cache.key == cache_key(table, FRAME, tmp_path / "memory")
    assert cache.folder == tmp_path / "cache" / f"drawn-{cache.key}"


def test_a_finished_cache_is_opened_without_decoding(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build_cache(table, FRAME, root=tmp_path, progress=False)
    monkeypatch.setattr(caching, "decode", None)
    again = build_cache(table, FRAME, root=tmp_path, progress=False)
    assert np.array_equal(first.crops, again.crops)
    assert again.ok.all()


def test_the_key_changes_with_whatever_changes_a_crop(
    table: Table, paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = tmp_path / "contents.sqlite"

    def key(frame: FaceFrame = FRAME) -> str:
        return cache_key(table, frame, memory)

    keys = [key(), key(FaceFrame(side=25)), cache_key(table.select(np.arange(29)), FRAME, memory)]
    os.utime(paths[3], ns=(1, 1))
    assert key() == keys[0]  # a touched file holds what it held
    paths[4].write_bytes(paths[4].read_bytes() + b"\0")
    keys.append(key())
    paths[5].unlink()
    keys.append(key())
    monkeypatch.setitem(caching.ALIGNED_EYES, "celeba", ((0.4, 0.5), (0.6, 0.5)))
    keys.append(key())
    assert len(set(keys)) == len(keys)


def test_a_changed_image_gives_another_cache(
    table: Table, paths: list[Path], tmp_path: Path
) -> None:
    first = build_cache(table, FRAME, root=tmp_path / "cache", progress=False)
    shutil.copy(paths[0], paths[1])
    second = build_cache(table, FRAME, root=tmp_path / "cache", progress=False)
    assert first.folder != second.folder
    assert first.pixels != second.pixels
    assert np.array_equal(second.crops[1], first.crops[0])
    assert not np.array_equal(second.crops[1], first.crops[1])


def test_the_pixels_stay_the_same_when_the_times_do_not(
    table: Table, paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build_cache(table, FRAME, root=tmp_path / "cache", progress=False)
    os.utime(paths[3], ns=(1, 1))
    monkeypatch.setattr(caching, "BLOCK", 7)  # nor do they depend on the blocks
    second = build_cache(table, FRAME, root=tmp_path / "other", progress=False)
    assert first.key == second.key
    assert first.pixels == second.pixels
    digest = hashlib.sha256(first.crops.tobytes() + np.full(len(paths), 1, np.uint8).tobytes())
    assert first.pixels == digest.hexdigest()


def test_failed_images_are_recorded_and_stop_nobody(
    table: Table, paths: list[Path], tmp_path: Path
) -> None:
    paths[2].write_bytes(paths[2].read_bytes()[:-20])
    paths[11].write_text("Dear diary")
    paths[29].unlink()
    for _ in range(2):  # built, then opened
        cache = build_cache(table, FRAME, root=tmp_path / "cache", progress=False)
        assert np.flatnonzero(~cache.ok).tolist() == [2, 11, 29]
        assert set(cache.errors) == {"002.png", "011.png", "029.png"}
        assert "cut short" in cache.errors["002.png"]
        assert "known format" in cache.errors["011.png"]
        assert "No such file" in cache.errors["029.png"]
        assert not cache.crops[~cache.ok].any()
        assert np.array_equal(cache.crops[12], direct(paths[12]))


class Stream:
    """Encoded images that can only be read in order."""

    def __init__(self, data: list[bytes]) -> None:
        self.data, self.asked = data, []

    def __len__(self) -> int:
        return len(self.data)

    def stream(self, rows: NDArray[np.int64]) -> Iterator[bytes]:
        self.asked.append(rows.tolist())
        assert (np.diff(rows) > 0).all()
        return (self.data[i] for i in rows)


def test_a_stream_gives_the_same_crops_and_is_keyed_by_content(
    table: Table, paths: list[Path], tmp_path: Path
) -> None:
    stream = Stream([path.read_bytes() for path in paths])
    streamed = as_table(stream, len(paths))
    cache = build_cache(streamed, FRAME, root=tmp_path / "cache", progress=False)
    assert np.array_equal(cache.crops, [direct(path) for path in paths])
    key = cache_key(streamed, FRAME, tmp_path / "memory")
    assert key == cache.key
    stream.data[7] = stream.data[8]
    assert cache_key(streamed, FRAME, tmp_path / "memory") != key


def test_an_interrupted_build_goes_on_with_what_is_missing(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "BLOCK", 5)
    stream = Stream([path.read_bytes() for path in paths])
    table, calls = as_table(stream, 30), 0

    def interrupted(source: bytes) -> NDArray[np.uint8]:
        nonlocal calls
        calls += 1
        if calls == 18:
            raise KeyboardInterrupt
        if calls == 3:
            raise ImageError("broken on purpose")
        return decode(source)

    monkeypatch.setattr(caching, "decode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build_cache(table, FRAME, root=tmp_path / "cache", workers=1, progress=False)
    monkeypatch.setattr(caching, "decode", decode)
    cache = build_cache(table, FRAME, root=tmp_path / "cache", workers=2, progress=False)
    assert stream.asked[-1] == list(range(15, 30))  # three blocks of five were done
    assert cache.errors == {"002.png": "broken on purpose"}
    expected = np.array([direct(path) for path in paths])
    expected[2] = 0
    assert np.array_equal(cache.crops, expected)


#: A process that builds the cache slowly and writes a line for every picture.
WORKER = """
import json, sys, time
from pathlib import Path
import numpy as np
from facekit.cache import crops as cache
from facekit.datasets.table import Table
from facekit.frame import FaceFrame

images, root, log, pause, block = sys.argv[1:]
cache.BLOCK = int(block)
decode = cache.decode

def slow(source):
    time.sleep(float(pause))
    with open(log, "a") as file:
        file.write(source.name + "\\n")
    return decode(source)

cache.decode = slow
paths = sorted(Path(images).iterdir())
ids = np.array([path.name for path in paths])
table = Table("drawn", ids, paths, np.zeros((len(ids), 40), np.int8), (),
              np.array(["train"] * len(ids)), aligned="celeba")
done = cache.build_cache(table, FaceFrame(side=24), root=Path(root), workers=2, progress=False)
print(json.dumps({"sum": int(done.crops.sum(dtype=np.int64)), "ok": int(done.ok.sum())}))
"""


def start(tmp_path: Path, *, pause: float, block: int) -> subprocess.Popen[str]:
    folders = tmp_path / "images", tmp_path / "cache", tmp_path / "log"
    command = [sys.executable, "-c", WORKER, *map(str, (*folders, pause, block))]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def wait_for(condition: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
def test_a_killed_build_goes_on_where_it_stopped(
    table: Table, paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start(tmp_path, pause=0.1, block=4)
    wait_for(lambda: lines(tmp_path / "log") >= 13)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    (folder,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    assert not (folder / "cache.json").exists()
    done = int((np.load(folder / "state.npy") == 1).sum())
    assert 4 <= done < 30
    decoded: list[Path] = []
    monkeypatch.setattr(caching, "decode", lambda path: decoded.append(path) or decode(path))
    cache = build_cache(table, FRAME, root=tmp_path / "cache", progress=False)
    assert cache.folder == folder
    assert sorted(decoded) == paths[done:]
    assert cache.ok.all()
    assert np.array_equal(cache.crops, [direct(path) for path in paths])


def test_two_processes_share_one_build(paths: list[Path], tmp_path: Path) -> None:
    processes = [start(tmp_path, pause=0.03, block=512) for _ in range(2)]
    said = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    expected = sum(int(direct(path).sum(dtype=np.int64)) for path in paths)
    assert said == [{"sum": expected, "ok": 30}] * 2
    assert lines(tmp_path / "log") == 30  # nobody decoded a picture twice


def test_a_second_process_waits_and_says_so(
    table: Table, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lock = filelock.FileLock(
        tmp_path / f"drawn-{cache_key(table, FRAME, tmp_path / 'memory')}.lock"
    )
    lock.acquire()
    thread = threading.Thread(target=lambda: build_cache(table, FRAME, root=tmp_path))
    thread.start()
    said = ""
    for _ in range(100):
        said += capfd.readouterr().err
        if "waiting for another process" in said:
            break
        time.sleep(0.05)
    waiting = thread.is_alive()
    lock.release()
    thread.join(30)
    assert "waiting for another process" in said
    assert waiting
    assert build_cache(table, FRAME, root=tmp_path, progress=False).ok.all()


@pytest.mark.parametrize("damage", ["no state", "other size", "half a file", "nonsense"])
def test_unusable_leftovers_are_built_again(
    damage: str, table: Table, paths: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "cache" / f"drawn-{cache_key(table, FRAME, tmp_path / 'memory')}"
    folder.mkdir(parents=True)
    size = 5 if damage == "other size" else 30
    np.save(folder / "rows.npy", np.full((size, 24, 24, 3), 9, np.uint8))
    if damage != "no state":
        np.save(folder / "state.npy", np.ones(size, np.uint8))
    if damage in ("half a file", "nonsense"):
        whole = (folder / "rows.npy").read_bytes()
        (folder / "rows.npy").write_bytes(whole[:5000] if damage == "half a file" else b"x" * 500)
    cache = build_cache(table, FRAME, root=tmp_path / "cache", progress=False)
    assert np.array_equal(cache.crops, [direct(path) for path in paths])


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no list of memory maps here")
def test_leftovers_are_closed_before_they_are_deleted(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows refuses to delete a mapped file."""
    folder = tmp_path / "cache" / f"drawn-{cache_key(table, FRAME, tmp_path / 'memory')}"
    folder.mkdir(parents=True)
    np.save(folder / "rows.npy", np.full((5, 24, 24, 3), 9, np.uint8))
    np.save(folder / "state.npy", np.ones(5, np.uint8))
    deleted, unlink = [], Path.unlink

    def delete(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".npy":
            deleted.append(path.name)
            assert str(path) not in Path("/proc/self/maps").read_text()
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", delete)
    build_cache(table, FRAME, root=tmp_path / "cache", progress=False)
    assert sorted(deleted) == ["rows.npy", "state.npy"]


def test_half_an_error_line_of_a_killed_run_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "errors.jsonl").write_text('\n["a.png", "first"]\n["b.png", "sec')
    building._append_errors(tmp_path, {"b.png": "second\nline"})
    assert building._errors(tmp_path) == {"a.png": "first", "b.png": "second\nline"}


@pytest.mark.parametrize(("name", "left"), [("rows", 999), ("rows", 0), ("state", 0)])
def test_a_damaged_finished_cache_says_what_to_do(
    table: Table, tmp_path: Path, name: str, left: int
) -> None:
    cache = build_cache(table, FRAME, root=tmp_path, progress=False)
    path = cache.folder / f"{name}.npy"
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(DataError, match=r"damaged: delete it"):
        build_cache(table, FRAME, root=tmp_path, progress=False)


@pytest.mark.parametrize(
    "head",
    [b"{'descr': '|u1', 'shape': (1, 2), ", b"(" * 900, b"{'descr': '|O', 'fortran_order': 0}",
     b"{'descr': '|u1', 'fortran_order': False, 'shape': (10000000000, 10000000000), }"],
)  # fmt: skip
def test_a_finished_cache_whose_head_is_damaged_says_what_to_do(
    head: bytes, table: Table, tmp_path: Path
) -> None:
    path = build_cache(table, FRAME, root=tmp_path, progress=False).folder / "rows.npy"
    path.write_bytes(b"\x93NUMPY\1\0" + len(head).to_bytes(2, "little") + head + bytes(99))
    with pytest.raises(DataError, match=r"damaged: delete it"):
        build_cache(table, FRAME, root=tmp_path, progress=False)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("name", ["rows.npy", "state.npy", "done.json", "errors.jsonl"])
def test_a_pipe_in_a_cache_is_not_waited_for(name: str, table: Table, tmp_path: Path) -> None:
    path = build_cache(table, FRAME, root=tmp_path, progress=False).folder / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with pytest.raises(DataError, match=r"delete it|cannot be written"):
        build_cache(table, FRAME, root=tmp_path, progress=False)


def test_a_full_disk_is_noticed_before_anything_is_written(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=30 * 24 * 24 * 3)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=r"need 0 MB .*FACEKIT_HOME"):
        build_cache(table, FRAME, root=tmp_path / "cache", progress=False)
    assert not list((tmp_path / "cache").glob("*/*"))


def test_a_folder_that_cannot_be_written_is_one_line(table: Table, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot be written .*FACEKIT_HOME"):
        build_cache(table, FRAME, root=tmp_path / "file", progress=False)


def test_an_empty_table_is_refused(table: Table, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="drawn has no images"):
        build_cache(table.select(np.arange(0)), FRAME, root=tmp_path, progress=False)


class Finder:
    """Finds a big and a small face in every picture but black ones."""

    name = "haar"
    key = "finder-1"

    def detect(self, rgb: NDArray[np.uint8]) -> list[Detection]:
        if not rgb.any():
            return []
        return [Detection((40, 50, 90, 90), 0.9), Detection((0, 0, 20, 20), 0.9)]


def test_pictures_that_are_not_aligned_are_searched(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cv2.imwrite(str(paths[1]), np.zeros((99, 99, 3), np.uint8))
    table, asked = as_table(paths, 30, aligned=None), []
    monkeypatch.setattr(caching, "find_detector", lambda name: asked.append(name) or Finder())
    cache = build_cache(table, FRAME, root=tmp_path / "cache", detector="haar", progress=False)
    assert asked == ["haar"]
    assert cache.errors == {"001.png": "no face was found"}
    matrix = FRAME.matrix_from_box((40, 50, 90, 90), "haar")
    assert np.array_equal(cache.crops[5], FRAME.warp(decode(paths[5]), matrix))

    shifted = FRAME.points() + 2.0
    refined = build_cache(
        table,
        FRAME,
        root=tmp_path / "cache",
        refine=lambda crops: np.repeat(shifted[None], len(crops), 0),
        refine_key="shift 2",
        progress=False,
    )
    assert refined.key != cache.key
    moved = matrix - np.array([[0, 0, 2.0], [0, 0, 2.0]])
    expected = FRAME.warp(decode(paths[5]), moved).astype(int)
    assert np.abs(refined.crops[5] - expected).max() <= 1
    monkeypatch.setattr(Finder, "key", "finder-2")
    other = build_cache(table, FRAME, root=tmp_path / "cache", progress=False)
    assert len({cache.key, refined.key, other.key}) == 3


@pytest.mark.real
def test_real_celeba_is_cropped(real_data: Path, tmp_path: Path) -> None:
    every = sorted((real_data / "celeba" / "img_align_celeba").glob("*.jpg"))[:300]
    cache = build_cache(as_table(every, len(every)), FRAME, root=tmp_path, progress=False)
    assert cache.ok.all()
    assert 60 < cache.crops.mean() < 190
    assert len(np.unique(cache.crops.reshape(len(every), -1), axis=0)) == len(every)


def test_two_folders_with_the_same_names_sizes_and_times_share_nothing(tmp_path: Path) -> None:
    """Uncompressed pictures of one size, copied with their times."""
    tables = []
    for name in ("red", "blue"):
        folder = tmp_path / name
        folder.mkdir()
        for i in range(3):
            colour = (i, 0, 200) if name == "red" else (200, 0, i)  # blue, green, red
            assert cv2.imwrite(str(folder / f"{i}.bmp"), np.full((218, 178, 3), colour, np.uint8))
            os.utime(folder / f"{i}.bmp", ns=(10**18, 10**18))
        tables.append(as_table(sorted(folder.iterdir()), 3))
    red, blue = (build_cache(t, FRAME, root=tmp_path / "cache", progress=False) for t in tables)
    assert red.folder != blue.folder
    assert (red.crops[..., 0] == 200).all() and (blue.crops[..., 2] == 200).all()


def test_an_orientation_mended_with_the_time_kept_is_seen(tmp_path: Path) -> None:
    paths = []
    for way in (1, 3):
        exif = Image.Exif()
        exif[274] = way
        paths.append(tmp_path / f"{way}.jpg")
        with Image.open(draw(tmp_path / "images", 1)[0]) as drawn:
            drawn.save(paths[-1], quality=95, exif=exif)
    assert paths[0].stat().st_size == paths[1].stat().st_size
    table = as_table([tmp_path / "photo.jpg"], 1)
    found = []
    for path in paths:
        shutil.copy(path, tmp_path / "photo.jpg")
        os.utime(tmp_path / "photo.jpg", ns=(10**18, 10**18))
        found.append(build_cache(table, FRAME, root=tmp_path / "cache", progress=False).crops[0])
    assert not np.array_equal(found[0], found[1])


@pytest.mark.parametrize("hashed", [False, True])
def test_a_passing_read_error_is_no_fact(
    hashed: bool, table: Table, paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drive is away for a moment: while files are decoded, or while hashed as well."""
    away = {paths[4], paths[9]}
    opened, read = caching.open_regular, reading.read_regular

    def refuse_open(path: Path) -> object:
        if path in away:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path)

    def refuse_read(path: Path) -> bytes:
        if path in away:
            raise OSError(5, "Input/output error", str(path))
        return read(path)

    root = tmp_path / "cache"
    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_regular", refuse_read)
        if hashed:
            patch.setattr(caching, "open_regular", refuse_open)
        first = build_cache(table, FRAME, root=root, progress=False)
    assert np.flatnonzero(~first.ok).tolist() == [4, 9]
    assert "Input/output error" in first.errors["004.png"]
    second = build_cache(table, FRAME, root=root, progress=False)
    assert second.ok.all() and not second.errors
    assert np.array_equal(second.crops[4], direct(paths[4]))


@pytest.mark.skipif(os.name != "posix", reason="other systems' names are text")
def test_a_name_that_is_no_text_has_a_crop(paths: list[Path], tmp_path: Path) -> None:
    odd = paths[0].with_name(os.fsdecode(b"\xff.png"))
    paths[0].rename(odd)
    table = as_table([odd], 1)
    table = Table(**{**vars(table), "ids": np.array([odd.name])})
    assert build_cache(table, FRAME, root=tmp_path / "cache", progress=False).ok.all()
