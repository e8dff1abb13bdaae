"""Kill -9 at any moment, and several processes at once."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facekit.enrollment.layout import leftovers
from facekit.enrollment.read import check_files, list_enrolled, read_enrollment
from facekit.enrollment.store import forget, state_of, write_enrollment
from facekit.errors import UsageError
from facekit.system.home import enrolled_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")

_WRITER = """
import os, signal, sys
import numpy as np
from facekit.enrollment.person import Enrollment
from facekit.enrollment.store import forget
from facekit.enrollment.store import state_of, write_enrollment
from facekit.errors import UsageError
from facekit.heads.kinds import LinearHead

def enrollment(bias):
    head = LinearHead(parts=("identity",), labels=("me",), weight=np.ones((8, 1)),
                      bias=np.array([bias]), activation="none")
    return Enrollment(name="me", head=head, threshold=1.0, reject=0.5, platt=(1.0, 0.0),
                      key="0" * 16, bundle="tiny", created="now", facts={})

def write(bias):
    arrays = {"vectors": np.full((50, 8), bias, np.float32)}
    write_enrollment(enrollment(bias), arrays, {"report.html": b"x" * 9999},
                     replaces=state_of("me"))
"""
#: Dies at the n-th call that changes the disk.
_KILLED = (
    _WRITER
    + """
left = int(sys.argv[1])
def deadly(act):
    def counted(*args, **more):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return act(*args, **more)
    return counted
for name in ("open", "rename", "mkdir", "unlink", "rmdir", "chmod"):
    setattr(os, name, deadly(getattr(os, name)))
write(2.0) if sys.argv[2] == "write" else forget("me")
"""
)
_BUSY = (
    _WRITER
    + """
for i in range(25):
    try:
        write(float(sys.argv[1]) + i)
    except UsageError as error:
        assert "meanwhile" in str(error), error
"""
)


def start(code: str, *args: object) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)


def bias() -> float:
    return read_enrollment("me").judge(np.zeros((1, 8), np.float32))[0].score


def kill_everywhere(act: str, make, photos, steps: range) -> set[str]:
    """Kill the act after each number of steps; what a reader then finds."""
    seen = set()
    for step in steps:
        with contextlib.suppress(UsageError):
            forget("me")
        write_enrollment(make(bias=1.0), photos)
        process = start(_KILLED, step, act)
        _, said = process.communicate(timeout=60)
        if process.returncode == 0:
            seen.add("finished")
            break
        assert process.returncode == -signal.SIGKILL, said
        if enrolled_folder().exists() and list_enrolled():
            check_files("me")
            seen.add(f"bias {bias():g}")
        else:
            seen.add("nobody")
    return seen


@pytest.mark.slow
def test_a_killed_replacement_leaves_the_old_or_the_new_one(
    facekit_home: Path, make, photos
) -> None:
    found = kill_everywhere("write", make, photos, range(60))
    assert found >= {"bias 1", "finished"} and found <= {"bias 1", "bias 2", "finished"}
    write_enrollment(make("you"), photos)
    assert leftovers(enrolled_folder()) == [], "the next run cleans up"


@pytest.mark.slow
def test_a_killed_forget_leaves_all_or_nothing(facekit_home: Path, make, photos) -> None:
    found = kill_everywhere("forget", make, photos, range(40))
    assert found == {"bias 1", "nobody", "finished"}


@pytest.mark.slow
def test_processes_that_write_and_read_at_once_see_whole_enrolments(
    facekit_home: Path, make, photos
) -> None:
    write_enrollment(make(bias=0.0), photos)
    writers = [start(_BUSY, first) for first in (100, 200, 300)]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        check_files("me")
        seen.add(bias())
    said = [writer.communicate()[1] for writer in writers]
    assert said == ["", "", ""]
    check_files("me")
    assert len(seen) > 1
    assert os.listdir(enrolled_folder()) == ["me"]


def test_two_that_began_at_once_do_not_overwrite_each_other(
    facekit_home: Path, make, photos
) -> None:
    write_enrollment(make(bias=1.0), photos)
    began = state_of("me")
    write_enrollment(make(bias=2.0), photos, replaces=began)
    with pytest.raises(UsageError, match="another process meanwhile"):
        write_enrollment(make(bias=3.0), photos, replaces=began)
    assert bias() == 2
