"""Sinks of ``facekit predict`` and text for terminals."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from facekit.cli.output import JsonLines, JsonList
from facekit.errors import UsageError

RECORD = {"path": "Gesicht ü \udcff.jpg", "error": None, "width": 1, "height": 1, "faces": []}


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_json_list_is_whole_whatever_its_length(count: int) -> None:
    stream = io.StringIO()
    sink = JsonList(stream)
    for _ in range(count):
        sink.write(RECORD)
    sink.close()
    assert json.loads(stream.getvalue()) == [RECORD] * count
    assert stream.getvalue().isascii()


def test_json_lines_appear_when_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with JsonLines.open(path) as sink:
        sink.write(RECORD)
        assert not path.exists()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [RECORD]
    assert path.stat().st_mode & 0o400


def test_json_lines_leave_the_old_file_when_something_fails(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("old")
    with pytest.raises(KeyError), JsonLines.open(path) as sink:
        sink.write(RECORD)
        raise KeyError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_lines_into_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="folder"), JsonLines.open(tmp_path):
        pass
    with pytest.raises(UsageError, match="cannot write"), JsonLines.open(tmp_path / "no" / "x"):
        pass
