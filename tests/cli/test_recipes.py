"""``facekit recipes``."""

from __future__ import annotations

import tomllib
from pathlib import Path


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
