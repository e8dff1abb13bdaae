"""``python -m benchmarks faults``: broken files and interrupted commands, and what came of them.

Every file is read in a child process with a limit of memory and of seconds. Right is
an answer, or one line for the user; everything else is a failure: another exception, a
death, a hang, a word on standard error. POSIX alone has the limits. What commands are
put through is in ``benchmarks.interrupts``.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any, Final

from benchmarks.interrupts import try_commands
from benchmarks.mutants import mutate
from benchmarks.readers import ARTIFACTS, PICTURES, Reader
from benchmarks.registry import BenchOptions
from facekit.errors import FacekitError

#: Files of each kind when the user names no limit.
_TRIES: Final = 3000
#: Steps of each kind of call at which a command is killed.
_STEPS: Final = 4
#: Of one file: processor seconds, and bytes above what the process held before.
SECONDS: Final = 10.0
#: Seconds of the clock without an answer that are a hang, however busy the machine is.
PATIENCE: Final = 120.0
MEMORY: Final = 1_200_000_000
_STATES: Final = ("read", "refused")


@dataclass
class Tally:
    """What became of the broken files of one reader.

    Attributes:
        counts: How many were "read" and "refused".
        failures: What went wrong, by the number of the file.
        slowest: Processor seconds.
    """

    counts: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)
    slowest: float = 0.0


def run(options: BenchOptions) -> dict[str, Any]:
    """Try broken pictures and broken artifacts.

    Args:
        options: ``limit`` files of each of the two, and the seed.

    Returns:
        ``{"readers": [{"reader", "tries", "read", "refused", "failures", "slowest_s"}],
        "commands": [{"command", "tries", "failures"}], "failures": [...]}``.
    """
    rows, told = [], []
    for readers in (PICTURES, ARTIFACTS):
        for name, tally in try_all(readers, options.limit or _TRIES, options.seed).items():
            tries = sum(tally.counts.values()) + len(tally.failures)
            counts = {state: tally.counts[state] for state in _STATES}
            rows.append(
                {"reader": name, "tries": tries, **counts, "failures": len(tally.failures),
                 "slowest_s": round(tally.slowest, 2)}
            )  # fmt: skip
            told += [f"{name} {number}: {what}" for number, what in tally.failures.items()]
    put = try_commands(min(options.limit or _STEPS, _STEPS))
    told += [f"{one.job}, {one.how}: {one.fault}" for one in put if one.fault]
    jobs = []
    for job, n in Counter(one.job for one in put).items():
        failed = sum(one.job == job and bool(one.fault) for one in put)
        jobs.append({"command": job, "tries": n, "failures": failed})
    return {"readers": rows, "commands": jobs, "failures": told}


def render(record: dict[str, Any]) -> str:
    """The table of tries and failures."""
    names = ("reader", "tries", *_STATES, "failures", "slowest_s")
    lines = [" ".join(f"{name:>15}" for name in names)]
    lines += [" ".join(f"{row[name]:>15}" for name in names) for row in record["readers"]]
    jobs = [f"{row['command']:>20} {row['tries']:>10} {row['failures']:>15}"
            for row in record["commands"]]  # fmt: skip
    heads = [f"{'command':>20} {'tries':>10} {'failures':>15}"] if jobs else []
    return "\n".join([*lines, *heads, *jobs, *record["failures"]])


def try_all(readers: Sequence[Reader], tries: int, seed: int) -> dict[str, Tally]:
    """Share tries among the readers whose packages are here.

    Args:
        readers: Each gets as many.
        tries: Of all together.
        seed: Of every mutation.
    """
    here = [one for one in readers if importlib.util.find_spec(one.needs) is not None]
    each = -(-tries // len(here))
    return {reader.name: _try(reader, each, seed) for reader in here}


def mutant(reader: Reader, whole: Sequence[bytes], number: int, seed: int) -> bytes:
    """The file of a number: the same for ever, so that a failure can be looked at."""
    random = Random(f"{reader.name} {seed} {number}")
    data = mutate(whole[number % len(whole)], random, whole)
    return reader.mend(data) if random.random() < 0.7 else data


def _try(reader: Reader, tries: int, seed: int) -> Tally:
    """Children read one file after another; one that dies or hangs is followed by a new one."""
    tally, number = Tally(), 0
    context = multiprocessing.get_context("spawn")
    while number < tries:
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(reader, number, tries, seed, theirs))
        child.start()
        theirs.close()
        begun = False
        for state, seconds in _answers(ours, first=600.0):
            begun = True
            if seconds > SECONDS:
                state = f"took {seconds:.1f} processor seconds"
            if state in _STATES:
                tally.counts[state] += 1
            elif state != "ready":
                tally.failures[number] = state
            number += state != "ready"
            tally.slowest = max(tally.slowest, seconds)
        if not begun:
            child.kill()
            raise RuntimeError(f"{reader.name}: whole files cannot be read")
        hung = child.is_alive() and number < tries
        if hung:
            child.join(1)
            hung = child.is_alive()
            child.kill()
        child.join()
        if number < tries:
            tally.failures[number] = "longer than the limit" if hung else f"died ({child.exitcode})"
            number += 1
    return tally


def _answers(pipe: Connection, first: float) -> Iterator[tuple[str, float]]:
    wait = first
    while pipe.poll(wait):
        try:
            yield pipe.recv()
        except EOFError:
            return
        wait = PATIENCE


def _child(reader: Reader, start: int, stop: int, seed: int, pipe: Connection) -> None:
    """Read files and send what became of each; standard error is a file that stays empty."""
    import resource

    whole = reader.whole()
    with tempfile.TemporaryDirectory(prefix="facekit-faults-") as folder:
        path = Path(folder) / reader.name
        for data in whole:  # imports and caches do not count
            path.write_bytes(data)
            reader.read(path)
        faulthandler.disable()
        said = os.open(Path(folder) / "said", os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        pages = (
            int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 0
        )
        if pages:
            most = pages * resource.getpagesize() + MEMORY
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        pipe.send(("ready", 0.0))
        for number in range(start, stop):
            path.write_bytes(mutant(reader, whole, number, seed))
            before, begun = os.fstat(said).st_size, time.process_time()
            state = _read(reader, path)
            sys.stdout.flush()
            sys.stderr.flush()
            if length := os.fstat(said).st_size - before:
                state = f"printed {os.pread(said, min(length, 200), before)!r}"
            pipe.send((state, time.process_time() - begun))
        pipe.close()
    os._exit(0)


def _read(reader: Reader, path: Path) -> str:
    try:
        reader.read(path)
    except FacekitError as error:
        text = str(error)
        if "\n" in text or len(text) > 2000 or not text.encode("utf-8", "replace").strip():
            return f"no one line: {text[:200]!r}"
        return "refused"
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return "read"
