"""Dataset cards add up, and agree with the code that reads the data."""

from __future__ import annotations

import pytest

from facekit.datasets.cards import card_files, read_card
from facekit.frame import ALIGNED_EYES
from facekit.labels import ATTRIBUTES, EMOTIONS

CARDS = {name: read_card(path) for name, path in card_files().items()}


def test_the_four_cards_are_there() -> None:
    assert {"celeba", "ckplus", "fer2013", "lfw"} <= set(CARDS)


@pytest.mark.parametrize("name", CARDS)
def test_every_card_says_what_it_must(name: str) -> None:
    card = CARDS[name]
    assert {"title", "home", "licence", "citation", "counts", "image", "layout", "faults"} <= set(
        card
    )
    assert card["counts"]["images"] > 0
    assert all(part["files"] for part in card["layout"] if "command" not in part)


def test_celeba() -> None:
    counts = CARDS["celeba"]["counts"]
    assert counts["train"] + counts["val"] + counts["test"] == counts["images"]
    assert counts["attributes"] == len(ATTRIBUTES)


def test_fer2013() -> None:
    counts = CARDS["fer2013"]["counts"]
    parts = counts["train"] + counts["public_test"] + counts["private_test"]
    assert parts == counts["images"]
    assert tuple(counts["train_classes"]) == EMOTIONS
    assert sum(counts["train_classes"].values()) == counts["train"]
    assert tuple(counts["public_test_classes"]) == EMOTIONS
    assert sum(counts["public_test_classes"].values()) == counts["public_test"]
    assert tuple(counts["ferplus_train_classes"]) == EMOTIONS
    assert sum(counts["ferplus_train_classes"].values()) + 155 == counts["train"]  # no votes


def test_ckplus() -> None:
    counts = CARDS["ckplus"]["counts"]
    assert sum(counts["classes"].values()) == counts["images"] == 3 * counts["sequences"]


@pytest.mark.parametrize(
    ("name", "source"), [("celeba", "celeba"), ("fer2013", "fer"), ("ckplus", "ckplus")]
)
def test_eyes_are_where_the_frame_expects_them(name: str, source: str) -> None:
    for eye, place in zip(CARDS[name]["image"]["eyes"], ALIGNED_EYES[source], strict=True):
        assert eye == pytest.approx(place, abs=0.002)
