"""Commands that are killed, run out of disk, or run beside each other.

strace counts the calls that change files, then kills the command at one of them, or
lets the disk be full from one of them on. After each try the state must be the old one
or the new one, the same command must end well, and ``forget`` must leave nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from facekit.cartoon import draw_face, draw_scene, make_person
from facekit.labels import EMOTIONS

#: What a kill may interrupt: each call makes a step of a file visible.
CALLS: Final = {
    "rename": "rename,renameat,renameat2",
    "fsync": "fsync,fdatasync",
    "unlink": "unlink,unlinkat,rmdir",
    "link": "link,linkat",
}
#: A full disk, as the system tells it.
_WRITES: Final = "write,pwrite64,writev"
_LOCK: Final = "enrolled.lock"
_PHOTOS: Final = 6
_BOXES: Final = re.compile(r"\.faces(-\d+)?\.jpg$")


@dataclass(frozen=True)
class Job:
    """One command and what it needs.

    Attributes:
        name: What a table calls it.
        command: Arguments of ``facekit``.
        before: Commands that have run earlier.
        again: Exit codes of the same command after it was interrupted; 2 where it may
            have ended all the same, and is refused the second time.
    """

    name: str
    command: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    again: tuple[int, ...] = (0,)


_ENROLL: Final = ("enroll", "photos", "--name", "drawn", "--yes")
_ADD: Final = ("enroll", "more", "--name", "drawn", "--yes")
_FORGET: Final = ("forget", "drawn", "--yes")
_TRANSFER: Final = (
    "transfer", "fer", "--data", "fer", "--recipe", "fer-frozen-linear", "--out", "run",
)  # fmt: skip
JOBS: Final = (
    Job("enroll", _ENROLL),
    Job("enroll --out", (*_ENROLL, "--out", "out")),
    Job("enroll --add", (*_ADD, "--add"), (_ENROLL,), (0, 2)),
    Job("forget", _FORGET, ((*_ENROLL, "--out", "out"),), (0, 2)),
    Job("transfer", _TRANSFER, again=(0, 2)),
    Job("predict --jsonl", ("predict", "photos", "--jsonl", "seen.jsonl", "--annotate", "boxes")),
)


@dataclass(frozen=True)
class Try:
    """One interruption.

    Attributes:
        job: Its name.
        how: What was done, such as "killed at rename 2".
        fault: What was wrong afterwards; "" for nothing.
    """

    job: str
    how: str
    fault: str


class Place:
    """A working folder with drawn photos and a FACEKIT_HOME in it; jobs run in copies."""

    def __init__(self, folder: Path) -> None:
        """Draw the photos.

        Args:
            folder: New or empty; it is left to the caller to remove.
        """
        self.folder = folder
        for name, first in (("photos", 0), ("more", _PHOTOS)):
            (folder / "base" / name).mkdir(parents=True)
            for i in range(first, first + _PHOTOS):
                scene = draw_scene([make_person(0, 1)], np.random.default_rng(4 + i))
                _save(folder / "base" / name / f"{i}.png", scene.image)
        for i in range(8):
            for k, emotion in enumerate(EMOTIONS):
                place = folder / "base" / "fer" / ("train" if i < 6 else "test") / emotion
                rng = np.random.default_rng([i, k])
                person = make_person(3, i)
                face = draw_face(person, emotion, rng, (48, 48), aligned="fer")[0]
                _save(place / f"{i}.png", face)

    def fresh(self, job: Job) -> Path:
        """A copy in which everything before the job has run."""
        ready = self.folder / re.sub(r"\W", "_", f"ready {job.before}")[:100]
        if not ready.exists():
            shutil.copytree(self.folder / "base", ready)
            for command in job.before:
                done = run(ready, command)
                if done.returncode:
                    raise RuntimeError(f"{command}: {done.stderr}")
        copy = self.folder / "try"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(ready, copy)
        return copy


def run(
    folder: Path, command: Sequence[str], tracer: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run ``facekit`` in a folder, under a tracer or not."""
    own = {"FACEKIT_HOME": str(folder / "home"), "PYTHONDONTWRITEBYTECODE": "1"}
    own["PYTHONPATH"] = os.pathsep.join(sys.path)
    return subprocess.run(
        [*tracer, sys.executable, "-m", "facekit", *command],
        cwd=folder,
        env={**os.environ, **own},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=600,
    )


def state(folder: Path) -> Mapping[str, str]:
    """What the commands have made, by path: a hash of everything that is meant to last.

    Times, pages (which show times) and caches are left out.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or name.startswith("home/cache") or path.name == _LOCK:
            continue
        if _BOXES.search(name):  # no run replaces those of another
            continue
        if path.suffix in (".html", ".lock") or path.name in ("report.json", "card.md"):
            found[name] = ""
            continue
        data = path.read_bytes()
        if path.name == "manifest.json":
            data = json.dumps(_lasting(json.loads(data)), sort_keys=True).encode()
        found[name] = hashlib.sha256(data).hexdigest()
    return found


def _lasting(value: object) -> object:
    if isinstance(value, dict):
        gone = ("created", "sha256", "seconds", "report.html", "command", "copies", "card.md")
        return {k: _lasting(v) for k, v in value.items() if k not in gone}
    return [_lasting(one) for one in value] if isinstance(value, list) else value


def try_commands(limit: int) -> list[Try]:
    """Interrupt every job, and run it in two and in four processes at once.

    Args:
        limit: Tries for each kind of call; 0 for none. Nothing is interrupted where
            strace is missing.
    """
    if not limit or shutil.which("strace") is None:
        return []
    with tempfile.TemporaryDirectory(prefix="facekit-faults-") as folder:
        place, tries = Place(Path(folder)), []
        for job in JOBS:
            tries += [*interrupt(place, job, limit), beside(place, job, 2), beside(place, job, 4)]
    return tries


def interrupt(place: Place, job: Job, limit: int) -> Iterator[Try]:
    """Kill a job at its calls, and let the disk be full from some of its writes on.

    Args:
        place: Where.
        job: Which.
        limit: Most tries for each kind of call; spread over all of them.

    Yields:
        What came of each try.
    """
    folder = place.fresh(job)
    before, counts = state(folder), {}
    for kind, calls in {**CALLS, "write": _WRITES}.items():
        folder = place.fresh(job)
        log = place.folder / "calls"
        done = run(folder, job.command, ("strace", "-f", "-qq", "-o", str(log), "-e", calls))
        if done.returncode:
            yield Try(job.name, "not at all", f"exit {done.returncode}: {done.stderr[-300:]}")
            return
        counts[kind] = len(re.findall(r"^\d+\s+\w+\(", log.read_text(errors="replace"), re.M))
    after = state(folder)
    for kind, number in counts.items():
        for step in np.unique(np.linspace(1, number, limit).astype(int)) if number else ():
            folder = place.fresh(job)
            if kind == "write":
                how, inject = "disk full from write", f"{_WRITES}:error=ENOSPC:when={step}+"
            else:
                how, inject = f"killed at {kind}", f"{CALLS[kind]}:signal=KILL:when={step}"
            tracer = ("strace", "-f", "-qq", "-o", os.devnull, "-e", f"inject={inject}")
            run(folder, job.command, tracer)
            fault = _fault(folder, job, before, after)
            yield Try(job.name, f"{how} {step} of {number}", fault)


def _fault(folder: Path, job: Job, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """What an interrupted job left wrong."""
    shown = run(folder, ("enrolled", "--json"))
    if shown.returncode:
        return f"enrolled: exit {shown.returncode}: {shown.stderr[-200:]}"
    people = {k: v for k, v in state(folder).items() if _shown(k)}
    if people not in ({k: v for k, v in one.items() if _shown(k)} for one in (before, after)):
        return f"neither the old people nor the new: {sorted(people)}"
    again = run(folder, job.command)
    if again.returncode == 2 and "--resume" in again.stderr:  # a run that was begun says so
        again = run(folder, (*job.command, "--resume"))
    if again.returncode not in job.again:
        return f"again: exit {again.returncode}: {again.stderr[-300:]}"
    found = state(folder)
    if found != after:
        names = sorted(k for k in {**found, **after} if found.get(k) != after.get(k))
        return f"the same command gave something else: {names}"
    run(folder, _FORGET)
    left = [k for k in state(folder) if k.startswith(("home/enrolled", "out/"))]
    return f"forget left {left}" if left else ""


def _shown(name: str) -> bool:
    """Whether a path belongs to somebody who is enrolled; drafts have hidden names."""
    parts = Path(name).parts
    return parts[:2] == ("home", "enrolled") and not any(part.startswith(".") for part in parts)


def beside(place: Place, job: Job, processes: int) -> Try:
    """Run a job several times at once; each must end well, or with one line."""
    folder = place.fresh(job)
    with ThreadPoolExecutor(processes) as pool:
        done = list(pool.map(lambda _: run(folder, job.command), range(processes)))
    how = f"{processes} processes"
    for one in done:
        lines = one.stderr.strip().splitlines()
        if one.returncode not in (0, 2) or "Traceback" in one.stderr:
            return Try(job.name, how, f"exit {one.returncode}: {lines[-1:]}")
    if not any(one.returncode == 0 for one in done):
        return Try(job.name, how, f"none ended well: {done[0].stderr[-200:]}")
    again = run(folder, ("enrolled", "--json"))
    return Try(job.name, how, again.stderr[-200:] if again.returncode else "")


def _save(path: Path, rgb: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), rgb[:, :, ::-1])
