"""The lists of CelebA: codings, and damage that must not pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facekit.datasets.celeba import read_attributes, read_identities, read_partitions
from facekit.errors import DataError
from facekit.labels import ATTRIBUTES


def write(path: Path, rows: dict[str, list[str]], count: int | None = None) -> Path:
    head = [str(len(rows) if count is None else count), " ".join(ATTRIBUTES)]
    lines = [f"{name} {' '.join(values)}" for name, values in rows.items()]
    path.write_text("\n".join([*head, *lines]) + "\n")
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "list_attr_celeba.txt"


def test_minus_one_is_no_and_zero_is_unknown(path: Path) -> None:
    write(path, {"a.jpg": ["1", "-1", "0"] + ["-1"] * 37})
    names, values = read_attributes(path)
    assert names == ["a.jpg"]
    assert values.dtype == np.int8
    assert values[0, :4].tolist() == [1, 0, -1, 0]


def test_zero_is_no_where_nothing_is_negative(path: Path) -> None:
    write(path, {"a.jpg": ["1", "0"] * 20})
    assert read_attributes(path)[1][0, :2].tolist() == [1, 0]


def test_the_line_with_the_count_may_be_absent(path: Path) -> None:
    write(path, {"a.jpg": ["-1"] * 40})
    path.write_text("\n".join(path.read_text().splitlines()[1:]))
    assert read_attributes(path)[0] == ["a.jpg"]


def test_a_torn_list_is_refused_unless_allowed(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(path, {"a.jpg": ["-1"] * 40}, count=202_599)
    with pytest.raises(DataError, match=r"says 202,599 images, it lists 1"):
        read_attributes(path)
    assert read_attributes(path, allow_short=True)[0] == ["a.jpg"]
    assert "says 202,599 images, it lists 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "value", ["x", "2", "1.5", "-2", "nan", "99999999999", "65537", "4294967297", "1" + "0" * 400]
)
@pytest.mark.parametrize("place", [0, 39])
def test_values_that_are_none(path: Path, value: str, place: int) -> None:
    cells = ["-1"] * 40
    cells[place] = value
    write(path, {"good.jpg": ["1"] * 40, "bad.jpg": cells})
    with pytest.raises(DataError, match=r"values of 'bad\.jpg' are not all 1, -1 or 0"):
        read_attributes(path)


@pytest.mark.parametrize("said", ["1", "0,001", "  1 ", "000'001"])
def test_the_number_of_images_may_have_marks(path: Path, said: str) -> None:
    write(path, {"a.jpg": ["-1"] * 40})
    head, *lines = path.read_text().splitlines()
    path.write_text("\n".join([said, *lines]))
    assert head == "1" and read_attributes(path)[0] == ["a.jpg"]
    path.write_text("\n".join(["202,599", *lines]))
    with pytest.raises(DataError, match=r"says 202,599 images, it lists 1"):
        read_attributes(path)


@pytest.mark.parametrize("row", [0, 2])
def test_an_empty_cell_names_its_image(tmp_path: Path, row: int) -> None:
    rows = [[f"{i}.jpg", *["-1"] * 40] for i in range(4)]
    rows[row][7] = ""
    path = tmp_path / "list_attr_celeba.csv"
    path.write_text("\n".join(",".join(cells) for cells in [["image_id", *ATTRIBUTES], *rows]))
    with pytest.raises(DataError, match=rf"'{row}\.jpg' are not all 1, -1 or 0 \(a cell is empty"):
        read_attributes(path)


def test_an_index_that_pandas_wrote_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "list_attr_celeba.csv"
    rows = [["", "image_id", *ATTRIBUTES], ["0", "a.jpg", *["1"] * 40]]
    path.write_text("\n".join(",".join(cells) for cells in rows))
    with pytest.raises(DataError, match=r"as pandas writes an index.*index=False"):
        read_attributes(path)


@pytest.mark.parametrize("digits", [13, 400, 5000])
def test_a_number_of_images_of_absurd_size(path: Path, digits: int) -> None:
    write(path, {"a.jpg": ["1"] * 40})
    path.write_text(path.read_text().replace("1\n", "9" * digits + "\n", 1))
    with pytest.raises(DataError, match=f"{digits:,} (digits|characters)") as caught:
        read_attributes(path)
    assert len(str(caught.value)) < 400


def test_a_row_that_is_too_short(path: Path) -> None:
    write(path, {"a.jpg": ["1"] * 39, "b.jpg": ["1"] * 41})
    with pytest.raises(DataError, match=r"'a\.jpg' has 39 values, its header names 40"):
        read_attributes(path)


def test_a_name_listed_twice(path: Path) -> None:
    row = f"a.jpg {' '.join(['1'] * 40)}"
    path.write_text("\n".join(["2", " ".join(ATTRIBUTES), row, row]))
    with pytest.raises(DataError, match=r"'a\.jpg' is listed twice"):
        read_attributes(path)


def test_a_column_that_is_missing(path: Path) -> None:
    write(path, {"a.jpg": ["1"] * 40})
    path.write_text(path.read_text().replace("Eyeglasses", "Glasses"))
    with pytest.raises(DataError, match="Eyeglasses is not"):
        read_attributes(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x81", b"\n\n"])
def test_files_that_are_no_list(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError, match="list_attr_celeba"):
        read_attributes(path)


def test_a_csv_may_quote_carry_a_mark_and_more_columns(tmp_path: Path) -> None:
    path = tmp_path / "list_attr_celeba.csv"
    head = ",".join(["image_id", "note", *ATTRIBUTES])
    path.write_text(f'\ufeff{head}\r\n"a, b.jpg",hello,{",".join(["1", "-1"] * 20)}\r\n')
    names, values = read_attributes(path)
    assert names == ["a, b.jpg"]
    assert values[0, :2].tolist() == [1, 0]


def test_partitions(tmp_path: Path) -> None:
    path = tmp_path / "list_eval_partition.csv"
    path.write_text("image_id,partition\na.jpg,0\nb.jpg,1\nc.jpg,2\n")
    assert read_partitions(path) == {"a.jpg": "train", "b.jpg": "val", "c.jpg": "test"}
    for values in (("train", "val", "test"), ("0.0", "1.0", "2.0"), ("Training", "valid", "Test")):
        lines = [f"{name}.jpg,{value}\n" for name, value in zip("abc", values, strict=True)]
        for header in ("", "image_id,partition\n"):
            path.write_text(header + "".join(lines))
            assert list(read_partitions(path).values()) == ["train", "val", "test"]
    path.write_text("image_id,partition\na.jpg,3\n")
    with pytest.raises(DataError, match="partition '3' is not 0"):
        read_partitions(path)


@pytest.mark.parametrize("text", ["a.jpg 1 2\n", "a.jpg 1\nb.jpg x\n", "a.jpg\n"])
def test_identities_that_are_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "identity_CelebA.txt"
    path.write_text(text)
    with pytest.raises(DataError, match="identity_CelebA"):
        read_identities(path)


@pytest.mark.parametrize("people", [["n7", "n12", "n7"], ["3", "4", "3"], ["anna", "ben", "anna"]])
@pytest.mark.parametrize("header", ["", "image_id identity\n"])
def test_people_are_numbers_or_names(tmp_path: Path, people: list[str], header: str) -> None:
    path = tmp_path / "identity_CelebA.txt"
    path.write_text(header + "".join(f"{i}.jpg {one}\n" for i, one in enumerate(people)))
    assert list(read_identities(path).values()) == people


@pytest.mark.parametrize("text", ["a.jpg 1\nb.jpg 2\na.jpg 1\n", "b.jpg 1\na.jpg 0\na.jpg 1\n"])
def test_lists_with_repeats_name_the_image(tmp_path: Path, text: str) -> None:
    for read in (read_identities, read_partitions):
        (tmp_path / "list.txt").write_text(text)
        with pytest.raises(DataError, match=r"'a\.jpg' is listed twice"):
            read(tmp_path / "list.txt")


@pytest.mark.parametrize("digits", ["1" * 5000, "x" * 100_000])
def test_a_message_is_short_whatever_the_cell(tmp_path: Path, digits: str) -> None:
    path = tmp_path / "list_eval_partition.txt"
    for text in (f"a.jpg {digits}\n", f"a.jpg 1 {digits}\n", f"{digits}.jpg 7\n"):
        path.write_text(text)
        with pytest.raises(DataError) as caught:
            read_partitions(path)
        assert len(str(caught.value)) < 400


def test_a_person_of_absurd_size(tmp_path: Path) -> None:
    """An array of people has room for the longest name in every row."""
    path = tmp_path / "identity_CelebA.txt"
    path.write_text(f"a.jpg 1\nb.jpg {'3' * 6000}\n")
    with pytest.raises(DataError, match="line 2 has a cell of 6,000 characters") as caught:
        read_identities(path)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("between", [";", "\t", ","])
@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_what_stands_between_the_cells_is_seen(tmp_path: Path, between: str, suffix: str) -> None:
    path = tmp_path / f"list_attr_celeba{suffix}"
    head = ["image_id"] * (suffix == ".csv") + list(ATTRIBUTES)
    rows = [head, ["a.jpg", *["1", "-1"] * 20], ["b.jpg", *["-1"] * 40]]
    path.write_text("\n".join(between.join(row) for row in rows))
    names, values = read_attributes(path)
    assert names == ["a.jpg", "b.jpg"] and values[:, 0].tolist() == [1, 0]
    path = tmp_path / f"list_eval_partition{suffix}"
    path.write_text(f"a.jpg{between}0\nb.jpg{between}2\n")
    assert read_partitions(path) == {"a.jpg": "train", "b.jpg": "test"}
