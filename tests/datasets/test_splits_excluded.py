"""Lists of what to leave out, and leaving it out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facekit.datasets.splits import leave_out, read_excluded
from facekit.datasets.table import Table
from facekit.errors import DataError
from facekit.system.sheet import list_text

TABLE = Table(
    name="fer",
    ids=np.array([f"train/angry/{i}.png" for i in range(4)]),
    images=[Path(f"{i}.png") for i in range(4)],
    labels=np.arange(4),
    label_names=("a", "b", "c", "d"),
    split=np.array(["train"] * 4),
    soft=np.eye(4, dtype=np.float32),
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.txt", "# twice in the data\ntrain/a, b.png\n\ntrain/c.png\n"),
        ("audit.csv", 'id,split,finding\n"train/a, b.png",train,copy\ntrain/c.png,test,copy\n'),
        ("audit.csv", 'split, File \ntrain,"train/a, b.png"\ntest,train/c.png\ntest,train/c.png\n'),
        ("list.csv", "train/c.png\n\ufefftrain/c.png\n"),
    ],
)
def test_lists_are_read(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text.replace("\ufeff", ""), encoding="utf-8-sig")
    want = {"train/c.png"} if name == "list.csv" else {"train/a, b.png", "train/c.png"}
    assert read_excluded(path) == want


@pytest.mark.parametrize(
    "name",
    ["no/Smith, John.jpg", 'a/the "one".jpg', "a/two\n\n#lines.jpg", " a/1.jpg", "#a/1.jpg",
     "a/\udcff.jpg", "a/x\u2028y\x85z.jpg", "a/1;2\t3.jpg", "a/=1+1.jpg", "id"],
)  # fmt: skip
def test_what_an_audit_lists_is_read_again(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(list_text(["a/plain.jpg", name, "a/#.jpg"]).encode("utf-8", "surrogateescape"))
    assert read_excluded(path) == {"a/plain.jpg", name, "a/#.jpg"}
    path.write_bytes(list_text([name]).encode("utf-8", "surrogateescape"))
    assert read_excluded(path) == {name}


def test_a_spreadsheet_may_have_written_the_list(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("\ufeffid;finding\r\na/1.jpg;copy\r\n#a comment\r\na/2, 3.jpg ; copy\r\n")
    assert read_excluded(path) == {"a/1.jpg", "a/2, 3.jpg"}


def test_an_audit_that_found_nothing_leaves_nothing_out(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("id\n")
    assert read_excluded(path) == frozenset()
    assert leave_out(TABLE, read_excluded(path)).ids.tolist() == TABLE.ids.tolist()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("list.csv", b"name,reason\nx.png,copy\n", "columns name, reason; wanted is id or file"),
        ("list.txt", b"\n# nothing\n", "names no picture"),
        ("list.txt", b"\xff\xfe\x00", "cannot be read as a list"),
        (None, b"", "cannot be read as a list"),
    ],
)
def test_bad_lists_are_refused(
    tmp_path: Path, name: str | None, content: bytes, message: str
) -> None:
    path = tmp_path / (name or "gone.txt")
    if name:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_excluded(path)
    assert "\n" not in str(caught.value)


def test_rows_are_left_out() -> None:
    left = leave_out(TABLE, {"train/angry/1.png"})
    assert left.ids.tolist() == [f"train/angry/{i}.png" for i in (0, 2, 3)]
    assert left.labels.tolist() == [0, 2, 3] and left.soft is not None and len(left.soft) == 3
    assert len(leave_out(TABLE, ())) == 4


def test_unknown_ids_are_counted_and_the_nearest_is_named() -> None:
    with pytest.raises(DataError, match=r"2 of the 3 pictures.*mean 'train/angry/1\.png'"):
        leave_out(TABLE, ["train/angry/0.png", "train/anger/1.png", "zzz"])
    with pytest.raises(DataError, match="relative to the data folder"):
        leave_out(TABLE, ["0123456789"])
    with pytest.raises(DataError, match="nothing of fer is left"):
        leave_out(TABLE, TABLE.ids.tolist())
