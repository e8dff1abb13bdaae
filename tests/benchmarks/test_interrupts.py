"""A command that is killed, or whose disk is full, leaves the old state or the new one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.interrupts import JOBS, Job, Place, beside, interrupt, state

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("interrupted"))


#: The others are tried by ``python -m benchmarks faults``.
TRIED = [job for job in JOBS if job.name in ("enroll --out", "forget", "transfer")]


@pytest.mark.parametrize("job", TRIED, ids=[job.name for job in TRIED])
def test_an_interrupted_command(place: Place, job: Job) -> None:
    tries = list(interrupt(place, job, 1))
    assert len(tries) > 2
    assert {one.how: one.fault for one in tries if one.fault} == {}


@pytest.mark.parametrize("job", [JOBS[0], JOBS[4]], ids=["enroll", "transfer"])
def test_commands_beside_each_other(place: Place, job: Job) -> None:
    assert beside(place, job, 3).fault == ""


def test_a_draft_that_stays_is_a_fault(place: Place) -> None:
    folder = place.fresh(JOBS[0])
    before = state(folder)
    (folder / "home" / "enrolled").mkdir(parents=True)
    (folder / "home" / "enrolled" / ".drawn.part").write_bytes(b"a face")
    assert state(folder) != before


def test_a_command_that_cannot_run_is_told(place: Place) -> None:
    (told,) = interrupt(place, Job("wrong", ("predict", "no-such-photo.jpg")), 1)
    assert told.fault.startswith("exit")


def test_the_folder_of_each_try_is_new(place: Place) -> None:
    first: Path = place.fresh(JOBS[0])
    (first / "left").write_text("x")
    assert not (place.fresh(JOBS[0]) / "left").exists()
