"""Lists as people's tools write them: one line where they cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from facekit.datasets.lists import read_rows
from facekit.datasets.splits import read_excluded
from facekit.errors import DataError


@pytest.mark.parametrize("between", [", ", " ; ", ",", "\t", " | ", "  "])
def test_whatever_stands_between_cells(tmp_path: Path, between: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"000001.jpg{between}0\n000002.jpg{between}1\n")
    assert [cells for _, cells in read_rows(path, blanks=True)] == [
        ["000001.jpg", "0"], ["000002.jpg", "1"],
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_called_so(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes("file,person\na.jpg,b\n".encode(encoding))
    with pytest.raises(DataError, match="UTF-8"):
        list(read_rows(path))


def test_a_quote_that_is_not_closed_swallows_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text('file,person\na.jpg,"b\nc.jpg,d\ne.jpg,f\n')
    with pytest.raises(DataError, match="cannot be read as a list"):
        list(read_rows(path))


def test_rows_without_an_id_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "ex.csv"
    path.write_text("reason,id\ncopy\nblurred,\ndark,a.jpg\n")
    assert read_excluded(path) == {"a.jpg"}
    assert "2 rows name no picture" in caplog.text
