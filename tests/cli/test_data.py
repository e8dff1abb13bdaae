"""``facekit data``: the dataset cards."""

from __future__ import annotations

import tomllib

import pytest

from facekit.datasets.cards import card_files, read_card
from facekit.errors import DataError


def test_the_list_names_every_card(run) -> None:
    answer = run("data")
    assert answer.code == 0
    assert set(card_files()) <= set(answer.out.split())
    assert "celeba" in card_files()


@pytest.mark.parametrize("name", card_files())
def test_a_card_says_where_it_comes_from(run, name: str) -> None:
    card = tomllib.loads(run("data", "show", name).out)
    assert {"title", "home", "licence"} <= set(card)
    assert str(card["home"]).startswith("https://")


def test_an_unknown_name_is_refused_with_the_nearest(run) -> None:
    answer = run("data", "show", "celebra")
    assert answer.code == 2
    assert "did you mean celeba?" in answer.err


def test_a_card_that_is_no_toml_is_refused(tmp_path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("a = ")
    with pytest.raises(DataError, match=r"bad\.toml"):
        read_card(path)


def test_kept_features_are_listed_and_deleted(run, facekit_home, tiny_bundle) -> None:
    import numpy as np

    from facekit.bundle.zoo import load_bundle
    from facekit.features.store import FeatureStore
    from facekit.home import cache_folder

    bundle = load_bundle(tiny_bundle)
    crops = np.zeros((1, 40, 40, 3), np.uint8)
    FeatureStore(cache_folder() / "features").features(crops, None, bundle)
    answer = run("data", "features")
    assert answer.code == 0 and bundle.key in answer.out and "tiny" in answer.out
    assert bundle.key not in run("data", "features", "other").out
    refused = run("data", "features", "--clear", "other")
    assert refused.code == 2 and "'other'" in refused.err
    assert "MB freed" in run("data", "features", "--clear").out
    assert bundle.key not in run("data", "features").out
