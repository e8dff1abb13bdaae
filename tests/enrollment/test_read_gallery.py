"""Who is looked for: those that fit the backbone, and nobody in silence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.bundle.bundle import IDENTITY, Bundle, identity_vectors
from facekit.bundle.load import load_bundle
from facekit.enrollment.person import Enrollment, Gallery, Verdict
from facekit.enrollment.read import FEW, open_gallery
from facekit.enrollment.store import write_enrollment
from facekit.errors import BundleError, DataError, UsageError
from facekit.heads.kinds import LinearHead
from facekit.system.home import enrolled_folder

CROPS = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), np.uint8)


@pytest.fixture
def bundle(tiny_bundle: Path, facekit_home: Path) -> Bundle:
    return load_bundle(tiny_bundle)


@pytest.fixture
def crowd(bundle: Bundle, make, photos) -> Bundle:
    """Two people who fit, one of another backbone, one damaged."""
    for one in (
        make("me"),
        make("anna", bias=1.0),
        make("bob", key="0" * 16, bundle="other"),
        make("carl"),
    ):
        write_enrollment(one, photos)
    (enrolled_folder() / "carl" / "head.npz").write_bytes(b"")
    return bundle


def test_all_are_those_that_can_be_used(crowd: Bundle) -> None:
    gallery = open_gallery(crowd)
    assert [one.name for one in gallery.enrolled] == ["anna", "me"]
    assert list(gallery.left_out) == ["bob", "carl"]
    assert "another backbone (of the model other) than tiny has" in gallery.left_out["bob"]
    assert "altered" in gallery.left_out["carl"]
    assert not any("\n" in reason for reason in gallery.left_out.values())


@pytest.mark.parametrize("set_aside", [False, True])
def test_a_home_that_may_not_be_written_is_read(
    crowd: Bundle, monkeypatch: pytest.MonkeyPatch, set_aside: bool
) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "enrolled.lock")

    if set_aside:
        (enrolled_folder() / "anna").rename(enrolled_folder() / ".anna.01234567.old")
    monkeypatch.setattr("facekit.enrollment.layout.locked", denied)
    gallery = open_gallery(crowd)
    assert [one.name for one in gallery.enrolled] == (["me"] if set_aside else ["anna", "me"])
    assert list(gallery.left_out) == ["bob", "carl"]
    assert "altered" in gallery.left_out["carl"]
    with pytest.raises(DataError, match="altered"):
        open_gallery(crowd, "carl")


def test_named_ones_are_read_or_refused(crowd: Bundle) -> None:
    assert [one.name for one in open_gallery(crowd, "me").enrolled] == ["me"]
    assert [one.name for one in open_gallery(crowd, ["me", "anna", "me"]).enrolled] == [
        "me",
        "anna",
    ]
    assert open_gallery(crowd, ()).enrolled == open_gallery(crowd, "none").enrolled == ()
    for name, error in (("bob", BundleError), ("carl", DataError), ("dora", UsageError)):
        with pytest.raises(error):
            open_gallery(crowd, ["me", name])


def test_one_pass_a_view_gives_what_two_calls_give(crowd: Bundle) -> None:
    gallery = open_gallery(crowd)
    reading = crowd.read_views(CROPS, ["attributes"], gallery.mirrored)
    vectors = identity_vectors(crowd, CROPS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    found = gallery.identify(reading, len(CROPS))
    for one in gallery.enrolled:
        for row, verdict in zip(found, one.judge(vectors), strict=True):
            assert row[one.name].score == pytest.approx(verdict.score, abs=1e-5)


@pytest.mark.parametrize("wanted", [None, 5, b"me", ["me", 1]])
def test_what_is_no_name_is_one_line(crowd: Bundle, wanted: object) -> None:
    with pytest.raises(UsageError, match="give auto, all, matches or none, a name, or names"):
        open_gallery(crowd, wanted)  # type: ignore[arg-type]


def test_names_may_lie_in_an_array(crowd: Bundle) -> None:
    names = np.array(["me", "anna", "me"])
    assert [one.name for one in open_gallery(crowd, names).enrolled] == ["me", "anna"]  # type: ignore[arg-type]


def test_nobody_costs_nothing(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[object] = []
    embed = bundle.backbone.embed

    def counted(crops: np.ndarray, parts: object = None) -> object:
        runs.append(parts)
        return embed(crops, parts)  # type: ignore[arg-type]

    monkeypatch.setattr(bundle.backbone, "embed", counted)
    reading = bundle.read_views(CROPS, ["attributes"], Gallery().mirrored)
    assert runs == [None]
    assert reading.mirrored == {}
    assert Gallery().identify(reading, 3) == [{}, {}, {}]
    bundle.read_views(CROPS, ["attributes"], (IDENTITY,))
    assert runs == [None, None, ["identity"]]
    averaging = replace(bundle, manifest=bundle.manifest.model_copy(update={"mirror": True}))
    averaging.read_views(CROPS, ["attributes"], (IDENTITY,))
    assert runs[3:] == [None, ["identity", "pooled"]], "the mirrored pass serves both"


@pytest.fixture
def thousand(bundle: Bundle) -> Gallery:
    """Many people drawn at random: neurons with and without what goes before them."""
    rng, people = np.random.default_rng(5), []
    for number in range(400):
        before = {"mean": rng.normal(size=8), "scale": rng.uniform(0.5, 2, 8)} if number % 3 else {}
        more = {"calibration": np.array([[2.0, 0.5]])} if number % 50 == 7 else {}
        head = LinearHead(
            parts=("identity",), labels=("x",), activation="none",
            weight=rng.normal(size=(8, 1)), bias=rng.normal(size=1), **before, **more,
        )  # fmt: skip
        people.append(
            Enrollment(
                name=f"p{number:03}",
                head=head,
                threshold=3.0,
                reject=2.0,
                platt=(1.0, -3.0),
                key=bundle.key,
                bundle="tiny",
                created="now",
            )
        )
    return Gallery(tuple(people))


def test_matches_are_what_each_neuron_says_alone(bundle: Bundle, thousand: Gallery) -> None:
    crops = np.random.default_rng(1).integers(0, 256, (20, 40, 40, 3), np.uint8)
    reading = bundle.read_views(crops, [], thousand.mirrored)
    every = thousand.identify(reading, len(crops))
    found = replace(thousand, matches=True).identify(reading, len(crops))
    wanted = [{n: v for n, v in row.items() if v.verdict != "no"} for row in every]
    assert found == wanted, "the same numbers, to the last bit"
    assert 0 < sum(map(len, found)) < sum(map(len, every)) / 4
    assert [list(row) for row in found] == [list(row) for row in wanted]


def test_nobody_is_lost_where_rounding_is_large(bundle: Bundle, thousand: Gallery) -> None:
    """Inputs of a tiny spread: scores in the thousands, and thresholds at them."""
    crops = np.random.default_rng(2).integers(0, 256, (30, 40, 40, 3), np.uint8)
    reading = bundle.read_views(crops, [], ("identity",))
    rng, people = np.random.default_rng(6), []
    for one in thousand.enrolled[:100]:
        head = replace(
            one.head, mean=rng.normal(size=8), scale=rng.uniform(1e-5, 1e-4, 8), calibration=None
        )
        fine = replace(one, head=head, threshold=1e9, reject=-1e9)
        score = Gallery((fine,)).identify(reading, len(crops))[0][one.name].score
        people.append(replace(fine, reject=score))  # the first face is just not a "no"
    found = Gallery(tuple(people), matches=True).identify(reading, len(crops))
    assert len(found[0]) == 100


def test_few_are_judged_one_by_one(
    bundle: Bundle, thousand: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    judge = Enrollment.judge

    def counted(one: Enrollment, vectors: np.ndarray) -> list[Verdict]:
        asked.append(one.name)
        return judge(one, vectors)

    monkeypatch.setattr(Enrollment, "judge", counted)
    reading = bundle.read_views(CROPS, [], thousand.mirrored)
    found = replace(thousand, matches=True).identify(reading, len(CROPS))
    assert set(asked) >= {name for row in found for name in row}
    assert len(asked) < len(thousand.enrolled) / 2


def test_auto_leaves_no_out_where_many_are_enrolled(bundle: Bundle, make, photos) -> None:
    for number in range(FEW):
        write_enrollment(make(f"p{number}"), photos)
    assert not open_gallery(bundle).matches and open_gallery(bundle, "matches").matches
    write_enrollment(make("one-more"), photos)
    asked = ("auto", "matches", "all", ["p0", "p1"])
    assert [open_gallery(bundle, one).matches for one in asked] == [True, True, False, False]
    assert open_gallery(bundle).people == FEW + 1
