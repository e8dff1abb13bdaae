"""Nothing goes over the network, and nothing is written where nobody asked for it.

strace sees what Python does not: sockets and files of ONNX Runtime, OpenCV, TensorFlow.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from facekit.cartoon import draw_scene, make_person

pytestmark = pytest.mark.slow

TRACED = "socket,connect,bind,sendto,sendmsg,open,openat,creat,mkdir,mkdirat,"
TRACED += "rename,renameat,renameat2,link,linkat"
#: A call that made a name, and the name: absolute, or in the working folder.
MADE = re.compile(
    r'\b(?:(?:open|openat)\([^"]*"([^"]+)"[^)]*O_CREAT|(?:creat|mkdir|mkdirat)\([^"]*"([^"]+)"'
    r'|(?:rename|renameat|renameat2|link|linkat)\([^"]*"[^"]+"[^"]*"([^"]+)")[^=]*= \d'
)
#: For forty seconds: ONNX Runtime's telemetry looks a host up after ten.
LOOP = """
import time, facekit
model, end = facekit.load(identities="none"), time.monotonic() + 40
while time.monotonic() < end:
    model.analyze("photos/0.png")
    time.sleep(0.5)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with photos of one drawn person; FACEKIT_HOME goes in it too."""
    folder = tmp_path_factory.mktemp("offline")
    (folder / "photos").mkdir()
    for i in range(6):
        scene = draw_scene([make_person(0, 1)], np.random.default_rng(4 + i))
        assert cv2.imwrite(f"{folder}/photos/{i}.png", scene.image[:, :, ::-1])
    return folder


@pytest.fixture
def traced(place: Path, tmp_path: Path) -> Callable[..., None]:
    """Run a command under strace; fails on a socket of the network and on a stray file."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: it sees what goes past Python")

    def run(*command: str, named: tuple[Path, ...] = (), probes: int = 0) -> None:
        log, user, drafts = tmp_path / "calls", tmp_path / "user", tmp_path / "tmp"
        user.mkdir()
        drafts.mkdir()
        home = place / "home"
        clean = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
        own = {"HOME": str(user), "TMPDIR": str(drafts), "FACEKIT_HOME": str(home)}
        own |= {"XDG_CACHE_HOME": str(user / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
        tracer = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", f"trace={TRACED}", "-o", str(log)]
        done = subprocess.run(
            [*tracer, sys.executable, *command],
            cwd=place,
            env=clean | own | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=400,
        )
        if "PTRACE" in done.stderr or "Operation not permitted" in done.stderr:
            pytest.skip("strace may not trace here")
        assert done.returncode in (0, 1), done.stderr
        calls = log.read_text(errors="replace")
        assert "openat(" in calls, "strace saw nothing"
        spoken = [line for line in calls.splitlines() if "AF_INET" in line]
        assert [one for one in spoken if not re.search(r"\b(socket|bind)\(", one)] == []
        assert len(spoken) <= 2 * probes
        allowed = (home, drafts, *(place / one for one in named), Path("/dev"), Path("/proc"))
        made = {place / next(filter(None, found)) for found in MADE.findall(calls)}
        stray = [p for p in made if not any(p == a or a in p.parents for a in allowed)]
        assert stray == []
        assert list(user.rglob("*")) == []

    return run


def test_the_tracer_sees_a_socket_and_a_file(traced) -> None:
    with pytest.raises(AssertionError):
        traced("-c", "import socket; socket.socket()")


def test_the_tracer_sees_a_stray_file(traced) -> None:
    with pytest.raises(AssertionError, match="stray"):
        traced("-c", "open('stray', 'w')")


def test_a_long_loop_of_the_api_says_nothing(traced) -> None:
    traced("-c", LOOP)


def test_predict(traced) -> None:
    out = Path("seen.jsonl"), Path("boxes")
    traced("-m", "facekit", "predict", "photos", "--jsonl", "seen.jsonl", "--annotate", "boxes",
           named=(*out, Path()))  # fmt: skip


def test_enroll_and_forget(traced) -> None:
    traced("-m", "facekit", "enroll", "photos", "--name", "drawn", "--yes")


def test_evaluate(traced, cartoon_celeba: Path) -> None:
    traced("-m", "facekit", "evaluate", "celeba", "--data", str(cartoon_celeba), "--split", "val")


def test_transfer(traced, cartoon_fer: Path) -> None:
    traced("-m", "facekit", "transfer", "fer", "--data", str(cartoon_fer), "--recipe",
           "fer-frozen-linear", "--out", "run", named=(Path("run"), Path()))  # fmt: skip


def test_audit(traced, cartoon_fer: Path) -> None:
    traced("-m", "facekit", "audit", "fer", "--data", str(cartoon_fer), "--out", "audit",
           named=(Path("audit"), Path()))  # fmt: skip


# TensorFlow imports urllib3, which opens a socket, binds it to this machine's own
# address to learn whether IPv6 is there, and closes it.
@pytest.mark.tf
def test_training_with_tensorflow(traced, cartoon_fer: Path) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed: extra train")
    traced("-m", "facekit", "transfer", "fer", "--data", str(cartoon_fer), "--recipe", "fer-full",
           "--set", "training.epochs=1", "--out", "full", named=(Path("full"), Path()),
           probes=1)  # fmt: skip
