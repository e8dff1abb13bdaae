"""Grids of settings: how values are cut apart, and what the combinations are called."""

from __future__ import annotations

import pytest

from facekit.errors import RecipeError
from facekit.workflows.sweep.plan import combine, read_axis


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.b=0.3,0.5, 0.7", ("0.3", "0.5", "0.7")),
        ("a=1", ("1",)),
        ("a=cosine,plateau", ("cosine", "plateau")),
        ("a=[8,16]", ("[8,16]",)),
        ("a=[8, 16],[16, 32]", ("[8, 16]", "[16, 32]")),
        ("a=[[1,2],[3]],[]", ("[[1,2],[3]]", "[]")),
        ("a={x=1,y=2},{x=3}", ("{x=1,y=2}", "{x=3}")),
        ("a=\"one, two\",'three,',four", ('"one, two"', "'three,'", "four")),
        ("a=it's,don't", ("it's", "don't")),
        ('a="",x', ('""', "x")),
        ("a=-1,1", ("-1", "1")),
        ("a=./x=y,b", ("./x=y", "b")),
        ("a=x[1,y]", ("x[1", "y]")),
    ],
)
def test_a_list_is_one_value(text: str, values: tuple[str, ...]) -> None:
    assert read_axis(text)[1] == values


def test_a_key_loses_its_blanks() -> None:
    assert read_axis(" training . seed =0,1")[0] == "training.seed"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a", "write key=value,value"),
        ("=1,2", "write key=value,value"),
        ("a..b=1", "write key=value,value"),
        ("a=", "has an empty value"),
        ("a=1,,2", "has an empty value"),
        ("a=1,", "has an empty value"),
        ("a=[1,2", r"\[1,2 has no end"),
        ('a=x,"y', '"y has no end'),
        ("a=0.3,0.30", "value 0.3 twice"),
        ("a=[1,2],[1, 2]", r"value \[1, 2\] twice"),
        ("a=x,x", "value 'x' twice"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words) as caught:
        read_axis(text)
    assert "\n" not in str(caught.value)


def names(*texts: str) -> list[str]:
    return list(combine([read_axis(text) for text in texts]))


def test_every_combination_in_order() -> None:
    axes = [read_axis(text) for text in ("a.x=1,2", "b.y=[3],[4,5]", "c=6")]
    points = combine(axes)
    assert list(points.values()) == [
        ("a.x=1", "b.y=[3]", "c=6"),
        ("a.x=1", "b.y=[4,5]", "c=6"),
        ("a.x=2", "b.y=[3]", "c=6"),
        ("a.x=2", "b.y=[4,5]", "c=6"),
    ]
    assert list(points) == ["x=1,y=3", "x=1,y=4+5", "x=2,y=3", "x=2,y=4+5"]


def test_names_are_short_readable_and_safe() -> None:
    assert names("optimizer.learning_rate=1e-3,3e-4") == [
        "learning_rate=1e-3",
        "learning_rate=3e-4",
    ]
    assert names("head.widths=[1],[2]", "backbone.widths=[3],[4]")[0] == (
        "head.widths=1,backbone.widths=3"
    )
    assert names("training.seed=4", "a=5") == ["seed=4,a=5"]
    assert names("model=../a b/c,*?") == ["model=..-a-b-c", "model=-"]
    assert names("a=-1,1") == ["a=-1", "a=1"]


def test_no_two_have_one_name() -> None:
    assert names("a=x/y,x|y,'x/y|'") == ["a=x-y", "a=x-y,1", "a=x-y-"]
    assert names("a=Up,up") == ["a=Up", "a=up,1"]  # one folder where case does not count
    long = names("a=" + ",".join("x" * 200 + c for c in "abc"))
    assert len(set(long)) == 3 and max(map(len, long)) < 100


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ((), "nothing to vary"),
        (("a=1,2", "a=3"), "--set a and --set a set the same key"),
        (("a.b=1,2", "a={b=3}"), "--set a.b and --set a set the same key"),
    ],
)
def test_axes_that_clash_are_refused(texts: tuple[str, ...], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        names(*texts)
