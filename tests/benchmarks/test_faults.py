"""Broken files end in an answer or in one line; nothing hangs, dies, grows or prints."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import faults
from benchmarks.faults import mutant, render, try_all
from benchmarks.readers import ARTIFACTS, PICTURES, Reader

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")


@linux
@pytest.mark.slow
@pytest.mark.parametrize("readers", [PICTURES, ARTIFACTS], ids=["pictures", "artifacts"])
def test_three_thousand_broken_files_of_each_kind(readers: Sequence[Reader]) -> None:
    tallies = try_all(readers, 3000, seed=0)
    assert {name: tally.failures for name, tally in tallies.items() if tally.failures} == {}
    assert sum(tally.counts["refused"] for tally in tallies.values()) > 1000
    assert sum(tally.counts["read"] for tally in tallies.values()) > 200


def test_the_same_seed_gives_the_same_files() -> None:
    whole = PICTURES[0].whole()
    files = [mutant(PICTURES[0], whole, number, 5) for number in range(40)]
    assert files == [mutant(PICTURES[0], whole, number, 5) for number in range(40)]
    assert files != [mutant(PICTURES[0], whole, number, 6) for number in range(40)]


WRONG = """
import os, signal, time
from pathlib import Path
from benchmarks import faults
from facekit.errors import DataError

def whole():
    return [b"a whole file"]

def read(path):
    if path.read_bytes() == b"a whole file":
        return
    count = Path(os.environ["COUNT"])
    way = int(count.read_text())
    count.write_text(str(way + 1))
    if way == 1:
        raise KeyError("broken")
    if way == 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    if way == 3:
        time.sleep(60)
    if way == 4:
        os.write(2, b"libfoo: oops")
    if way == 5:
        bytearray(2 * faults.MEMORY)
    if way == 6:
        raise DataError("one" + chr(10) + "two")
    if way == 7:
        raise DataError("one line")
    if way == 8:
        begun = time.process_time()
        while time.process_time() < begun + 1.5:
            pass
"""


@linux
@pytest.mark.slow
def test_every_kind_of_failure_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wrong_reader.py").write_text(WRONG)
    (tmp_path / "count").write_text("0")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("COUNT", str(tmp_path / "count"))
    monkeypatch.setattr(faults, "PATIENCE", 20.0)
    monkeypatch.setattr(faults, "SECONDS", 1.0)
    wrong = importlib.import_module("wrong_reader")
    tally = try_all([Reader("wrong", wrong.read, wrong.whole)], 9, seed=0)["wrong"]
    assert tally.counts == {"read": 1, "refused": 1}, tally
    assert tally.failures[1] == "KeyError: 'broken'"
    assert tally.failures[2] == f"died (-{signal.SIGSEGV.value})"
    assert tally.failures[3] == "longer than the limit"
    assert "libfoo: oops" in tally.failures[4]
    assert tally.failures[5].startswith("MemoryError")
    assert tally.failures[6].startswith("no one line")
    assert tally.failures[8].endswith("processor seconds")
    assert sorted(tally.failures) == [1, 2, 3, 4, 5, 6, 8]


def test_the_table_names_tries_and_failures() -> None:
    row = {"reader": "head", "tries": 3, "read": 1, "refused": 1, "failures": 1, "slowest_s": 0.1}
    lines = render(
        {"readers": [row], "commands": [{"command": "enroll", "tries": 9, "failures": 0}],
         "failures": ["head 2: KeyError"]}
    ).splitlines()  # fmt: skip
    assert lines[0].split() == list(row)
    assert lines[1].split() == ["head", "3", "1", "1", "1", "0.1"]
    assert lines[2].split() == ["command", "tries", "failures"]
    assert lines[3].split() == ["enroll", "9", "0"]
    assert lines[4] == "head 2: KeyError"
