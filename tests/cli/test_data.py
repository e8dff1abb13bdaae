"""``facekit data``: the dataset cards."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

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

    from facekit.bundle.load import load_bundle
    from facekit.cache.features import FeatureStore
    from facekit.system.home import cache_folder

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


def test_export_passes_everything_on_and_counts(run, monkeypatch: pytest.MonkeyPatch) -> None:
    from facekit.workflows import export_tfrecord as workflow

    seen: dict[str, Any] = {}

    def record(data: Path, out: Path, **options: Any) -> list[workflow.ExportedFile]:
        seen.update(options, data=data, out=out)
        counts, left = {"good": 7_215, "bad": 9}, {"fear": 4_097}
        return [
            workflow.ExportedFile(Path("x-train.tfrecord"), "train", counts, left),
            workflow.ExportedFile(Path("x-test.tfrecord"), "test", counts, {}),
        ]

    monkeypatch.setattr(workflow, "export_tfrecord", record)
    words = ("data", "export-tfrecord", "--data", "fer", "--out", "x.tfrecord")
    answer = run(*words)
    assert answer.code == 0, answer.err
    assert seen == {
        "data": Path("fer"), "out": Path("x.tfrecord"), "classes": "six", "first_label": 0,
        "image_key": "image/encoded", "label_key": "image/class/label",
    }  # fmt: skip
    lines = [line.split() for line in answer.out.splitlines()]
    assert lines[0] == ["."] and lines[1] == ["file", "good", "bad", "left", "out"]
    assert lines[2] == ["x-train.tfrecord", "7,215", "9", "fear", "4,097"] and lines[3][-1] == "-"
    more = ("--classes", "seven", "--first-label", 1, "--image-key", "a", "--label-key", "b")
    record_ = run(*words, *more, "--json").json
    assert (seen["classes"], seen["first_label"]) == ("seven", 1)
    assert (seen["image_key"], seen["label_key"]) == ("a", "b")
    assert record_["files"][0] == {
        "path": "x-train.tfrecord", "split": "train",
        "classes": {"good": 7215, "bad": 9}, "left_out": {"fear": 4097},
    }  # fmt: skip
    assert run(*words, "--first-label", 2).code == 2
    assert run("data", "export-tfrecord", "--data", "fer").code == 2
