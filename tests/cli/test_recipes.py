"""``facekit recipes``."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest


def test_alone_it_lists(run) -> None:
    answer = run("recipes")
    assert answer.code == 0
    assert answer.out == run("recipes", "list").out
    assert {"celeba-compact", "celeba-attributes-only", "demo"} <= set(answer.out.split())


def test_show_resolves_overrides(run) -> None:
    answer = run("recipes", "show", "demo", "--set", "training.epochs=3")
    shown = tomllib.loads(answer.out)
    assert shown["training"]["epochs"] == 3
    assert "augment" in shown


def test_show_file_keeps_the_comments(run) -> None:
    assert run("recipes", "show", "demo", "--file").out.startswith("# ")


def test_show_says_what_a_recipe_extends_and_resolves_it(run, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("extends = 'demo'\n[training]\nepochs = 5\n")
    (tmp_path / "more.toml").write_text("extends = 'mine.toml'\n[training]\nseed = 9\n")
    answer = run("recipes", "show", tmp_path / "more.toml", "--set", "training.batch_size=7")
    assert answer.out.splitlines()[0] == "# more extends mine extends demo"
    shown = tomllib.loads(answer.out)
    training = {"epochs": 5, "seed": 9, "batch_size": 7}
    assert {key: shown["training"][key] for key in training} == training
    assert shown["frame"]["side"] == 48 and shown["name"] == "more" and "extends" not in shown
    assert not run("recipes", "show", "demo").out.startswith("#")
    assert run("recipes", "show", tmp_path / "more.toml", "--file").out.startswith("extends = ")
    answer = run("recipes", "check", tmp_path / "more.toml")
    assert answer.code == 0 and "ok" in answer.out


def test_show_refuses_an_unknown_name(run) -> None:
    answer = run("recipes", "show", "demos")
    assert (answer.code, answer.out) == (2, "")
    assert "did you mean demo?" in answer.err


def test_check_accepts_what_ships_and_names_what_does_not_fit(run, tmp_path: Path) -> None:
    assert run("recipes", "check").code == 0
    bad = tmp_path / "bad.toml"
    bad.write_text("[training]\nepoch = 3\n")
    answer = run("recipes", "check", "demo", bad)
    assert answer.code == 1
    assert "demo: ok" in answer.out
    assert "did you mean epochs?" in answer.err


def test_check_knows_the_families(run) -> None:
    answer = run("recipes", "check", "demo", "--set", "backbone.family=mobilnetv2")
    assert answer.code == 1
    assert "mobilenetv2" in answer.err


@pytest.mark.tf
def test_show_builds_the_network(run, tmp_path: Path) -> None:
    answer = run("recipes", "show", "fer-cnn-simple", "--params", "--json")
    assert set(answer.json) == {
        "name", "parameters", "trainable", "layers", "convolutions", "input", "outputs", "summary",
    }  # fmt: skip
    assert answer.json["parameters"] == 83_335
    path = tmp_path / "mine.toml"
    path.write_text("extends = 'fer-cnn-simple'\n[backbone]\nwidths = [8, 8]\n")
    answer = run("recipes", "show", path, "--params", "--set", "top.pool=average")
    assert answer.code == 0 and "block2_pool" in answer.out
    assert f" {80 + 584 + 63:,}\n" in answer.out.split("trainable")[1]


def test_show_prints_json_or_the_file(run) -> None:
    shown = run("recipes", "show", "fer-cnn-simple", "--json", "--set", "best=loss").json
    assert shown["backbone"]["widths"] == [32, 64] and shown["best"] == "loss"
    refused = run("recipes", "show", "demo", "--params", "--file")
    assert refused.code == 2 and "--file prints the file as it is" in refused.err
