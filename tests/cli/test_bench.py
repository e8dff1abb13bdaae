"""``facekit bench``: the registry and what is printed."""

from __future__ import annotations

from importlib import import_module

import pytest

from facekit.bench import registry
from facekit.bench.registry import BENCHMARKS, Benchmark


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_exists(name: str) -> None:
    benchmark = BENCHMARKS[name]
    assert callable(getattr(import_module(benchmark.module), benchmark.function))
    assert benchmark.help and "\n" not in benchmark.help


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
    answer = run("bench")
    assert answer.code == 0
    assert "echo" in answer.out and "Says it again." in answer.out


def test_json_is_the_record_and_nothing_else(run, echo) -> None:
    answer = run("bench", "echo", "--limit", "7", "--json")
    assert answer.json == {"limit": 7, "inner": {"rate": 1.5}}
    assert "rubbish" in answer.err


def test_people_get_lines(run, echo) -> None:
    assert run("bench", "echo").out.split() == ["echo", "limit", "None", "inner.rate", "1.5"]


def test_an_unknown_name_is_refused_with_the_nearest(run, echo) -> None:
    answer = run("bench", "ecko")
    assert answer.code == 2
    assert "did you mean echo?" in answer.err
