"""Issues as a line and as a table."""

from __future__ import annotations

from facekit.datasets.table import Issues, issues_line, issues_table

MANY = Issues(
    missing=tuple(f"{i}.jpg" for i in range(1234)),
    unreadable=("bad.jpg",),
    unlisted=("x.jpg", "y.jpg"),
)


def test_the_line_counts_and_gives_examples() -> None:
    assert issues_line(MANY, 20_000) == (
        "1,235 of 20,000 images cannot be used: "
        "1,234 missing (0.jpg, 1.jpg, 2.jpg, …), 1 unreadable (bad.jpg)"
    )


def test_what_is_not_wrong_is_not_said() -> None:
    assert issues_line(Issues(unlisted=("x.jpg",)), 5) == ""
    assert "missing" not in issues_line(Issues(unreadable=("a.jpg",)), 5)


def test_the_table_has_a_row_for_each_kind() -> None:
    head, missing, unreadable, unlisted = issues_table(MANY).splitlines()
    assert head.split() == ["kind", "meaning", "images", "examples"]
    assert missing.startswith("missing")
    assert "1,234  0.jpg, 1.jpg, 2.jpg, …" in missing
    assert unreadable.endswith("1  bad.jpg")
    assert unlisted.endswith("2  x.jpg, y.jpg")
    assert issues_table(Issues()).splitlines()[1].endswith("0")


def test_wrong_labels_are_shown_where_there_are_some() -> None:
    wrong = Issues(mislabelled=("line 6",))
    assert wrong.found and not wrong.blocking
    last = issues_table(wrong).splitlines()[4]
    assert last.startswith("mislabelled") and last.endswith("1  line 6")
