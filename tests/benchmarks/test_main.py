"""``python -m benchmarks``: the registry and what is printed."""

from __future__ import annotations

import json
import sys
from importlib import import_module

import pytest

from benchmarks import registry
from benchmarks.__main__ import app
from benchmarks.registry import BENCHMARKS, Benchmark
from facekit.cli.app import main


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_exists(name: str) -> None:
    benchmark = BENCHMARKS[name]
    assert callable(getattr(import_module(benchmark.module), benchmark.function))
    assert benchmark.help and "\n" not in benchmark.help


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """``run("io", "--json")`` is ``python -m benchmarks io --json``: code, out, err."""

    def command(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["benchmarks", *args])
        with pytest.raises(SystemExit) as end:
            main(app)
        return int(end.value.code or 0), *capsys.readouterr()

    return command


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """A benchmark that prints rubbish and returns what it was told."""
    (tmp_path / "echo_bench.py").write_text(
        "def measure(options):\n"
        "    print('rubbish')\n"
        "    return {'limit': options.limit, 'inner': {'rate': 1.5}}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(BENCHMARKS, "echo", Benchmark("echo_bench", "measure", "Says it again."))
    assert registry.BENCHMARKS is BENCHMARKS


def test_without_a_name_it_lists(run, echo) -> None:
    code, out, _ = run()
    assert code == 0
    assert "echo" in out and "Says it again." in out


def test_json_is_the_record_and_nothing_else(run, echo) -> None:
    _, out, err = run("echo", "--limit", "7", "--json")
    assert json.loads(out) == {"limit": 7, "inner": {"rate": 1.5}}
    assert "rubbish" in err


def test_people_get_lines(run, echo) -> None:
    assert run("echo")[1].split() == ["echo", "limit", "None", "inner.rate", "1.5"]


def test_an_unknown_name_is_refused_with_the_nearest(run, echo) -> None:
    code, _, err = run("ecko")
    assert code == 2
    assert "did you mean echo?" in err
