"""The feature store with several processes, and with killed ones."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.cache.extract import MIRROR, PLAIN
from facekit.cache.features import FeatureStore

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CROPS = np.random.default_rng(0).integers(0, 256, size=(30, 40, 40, 3), dtype=np.uint8)


#: A process that fills a store slowly and writes a line for every crop it embeds.
WORKER = """
import json, sys, time
from pathlib import Path
import numpy as np
from facekit.bundle.load import load_bundle
from facekit.cache import features as shelf
from facekit.cache.features import FeatureStore
from facekit.cache.extract import MIRROR, PLAIN

crops, root, log, model, pause, shelf.BLOCK = *sys.argv[1:6], int(sys.argv[6])
bundle = load_bundle(Path(model))

class Slow:
    name, key, frame, parts = bundle.name, bundle.key, bundle.frame, bundle.parts

    def embed(self, crops, parts=None):
        time.sleep(float(pause) * len(crops))
        with open(log, "a") as file:
            file.write("crop\\n" * len(crops))
        return bundle.embed(crops, parts)

store = FeatureStore(Path(root))
found = store.features(np.load(crops, mmap_mode="r"), None, Slow(), views=[PLAIN, MIRROR])
print(json.dumps({"sum": float(found.matrix(dtype=np.float32).sum()), "n": len(found)}))
"""


@pytest.fixture
def workers(tmp_path: Path, tiny_bundle: Path) -> Iterator[Any]:
    np.save(tmp_path / "crops.npy", CROPS)
    started: list[subprocess.Popen[str]] = []

    def start(*, pause: float, block: int) -> subprocess.Popen[str]:
        paths = tmp_path / "crops.npy", tmp_path / "features", tmp_path / "log", tiny_bundle
        command = [sys.executable, "-c", WORKER, *map(str, (*paths, pause, block))]
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def lines(path: Path) -> int:
    return path.read_text().count("\n") if path.exists() else 0


def wait_for(condition: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


def test_two_processes_compute_everything_once(
    workers: Any, store: FeatureStore, bundle: Any, tmp_path: Path, expect: Callable[..., None]
) -> None:
    processes = [workers(pause=0.01, block=4) for _ in range(2)]
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    said = [json.loads(out) for out, _ in answers]
    found = store.features(CROPS, None, bundle, views=[PLAIN, MIRROR])
    assert bundle.count() == 0
    assert said == [{"sum": float(found.matrix(dtype=np.float32).sum()), "n": 60}] * 2
    assert lines(tmp_path / "log") == 60  # nobody embedded a crop twice
    expect(found, bundle, CROPS)


def test_a_warm_reader_waits_for_nobody(
    workers: Any, store: FeatureStore, bundle: Any, tmp_path: Path, expect: Callable[..., None]
) -> None:
    store.features(CROPS, np.arange(10), bundle, views=[PLAIN, MIRROR])
    workers(pause=0.2, block=4)
    wait_for(lambda: lines(tmp_path / "log") >= 4)
    found = store.features(CROPS, np.arange(10), bundle, views=[PLAIN, MIRROR])
    assert lines(tmp_path / "log") < 40  # the other one still computes
    expect(found, bundle, CROPS[:10])


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
@pytest.mark.parametrize("after", [9, 22, 41])
def test_a_killed_process_leaves_a_store_that_goes_on(
    workers: Any,
    store: FeatureStore,
    bundle: Any,
    tmp_path: Path,
    after: int,
    expect: Callable[..., None],
) -> None:
    process = workers(pause=0.02, block=4)
    wait_for(lambda: lines(tmp_path / "log") >= after)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    embedded = lines(tmp_path / "log")
    assert embedded < 60
    found = store.features(CROPS, None, bundle, views=[PLAIN, MIRROR])
    # At most the block being written and the one being embedded are lost.
    assert 60 - embedded <= bundle.count() <= 60 - embedded + 8
    expect(found, bundle, CROPS)
    expect(found, bundle, CROPS[:, :, ::-1], view=1)
    assert bundle.count() == 0


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
@pytest.mark.parametrize("at", ["data", "index"])
def test_killed_while_writing(
    store: FeatureStore,
    bundle: Any,
    tmp_path: Path,
    tiny_bundle: Path,
    at: str,
    expect: Callable[..., None],
) -> None:
    """The process dies half-way through the rows, or half-way through the index."""
    np.save(tmp_path / "crops.npy", CROPS)
    script = f"""
import os, signal, sys
from pathlib import Path
import numpy as np
from facekit.bundle.load import load_bundle
from facekit.cache import features as shelf
from facekit.cache import rows as row_file
from facekit.cache.features import FeatureStore
shelf.BLOCK = 8
write, calls = row_file._write_at, []

def dying(path, offset, data):
    if path.name == "grid.{"f16" if at == "data" else "index"}":
        calls.append(path)
        if len(calls) == 2:
            data = bytes(data)
            with path.open("r+b") as file:
                file.seek(offset)
                file.write(data[: len(data) // 2 - 3])
                file.flush()
                os.fsync(file.fileno())
            os.kill(os.getpid(), signal.SIGKILL)
    write(path, offset, data)

row_file._write_at = dying
crops = np.load({str(tmp_path / "crops.npy")!r})
bundle = load_bundle(Path({str(tiny_bundle)!r}))
FeatureStore(Path({str(store.root)!r})).features(crops, None, bundle, parts=["grid"])
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    found = store.features(CROPS, None, bundle, parts=["grid"])
    # Rows without index do not count; records that were written whole do.
    assert bundle.count() == {"data": 22, "index": 22 - (8 * 20 // 2 - 3) // 20}[at]
    expect(found, bundle, CROPS)
    assert bundle.count() == 0
