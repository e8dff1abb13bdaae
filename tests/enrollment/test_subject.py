"""Who is meant, and which face it is: people are drawn as clouds of vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from facekit.enrollment import subject
from facekit.enrollment.subject import (
    NOBODY,
    Candidates,
    Choice,
    ImpostorCohort,
    choose_faces,
    largest_group,
    settle,
)

SIZE = 48


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def drawn(n: int, seed: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(n, SIZE)))


ME, FRIEND, STRANGER = drawn(3, seed=77)
CROWD = ImpostorCohort(drawn(1200, seed=1))


class People:
    """Faces of people, each photo a little different."""

    def __init__(self, seed: int = 0, noise: float = 0.55) -> None:
        self._rng, self._noise = np.random.default_rng(seed), noise

    def __call__(self, *centres: np.ndarray) -> np.ndarray:
        if not centres:
            return np.zeros((0, SIZE), np.float32)
        noise = unit(self._rng.normal(size=(len(centres), SIZE)))
        return unit(np.stack(centres) + self._noise * noise)


def candidates(
    photos: Sequence[np.ndarray],
    *,
    bad: Sequence[tuple[int, int]] = (),
    known: np.ndarray | None = None,
) -> Candidates:
    good = [[(p, f) not in bad for f in range(len(rows))] for p, rows in enumerate(photos)]
    return Candidates.of(photos, good, np.zeros((0, SIZE), np.float32) if known is None else known)


def chosen(found: Sequence[Choice]) -> list[int | str | None]:
    return [one.code or one.face for one in found]


def test_photos_of_one_person_are_all_used() -> None:
    face = People()
    assert chosen(choose_faces(candidates([face(ME) for _ in range(6)]), CROWD)) == [0] * 6


def test_the_face_that_agrees_is_taken_wherever_it_stands() -> None:
    face = People(1)
    photos = [
        face(ME),
        face(*drawn(2, 20), ME),
        face(FRIEND, ME),
        face(ME, *drawn(1, 21)),
        face(),
        face(ME),
    ]
    assert chosen(choose_faces(candidates(photos), CROWD)) == [0, 2, 1, 0, None, 0]


def test_groups_alone_are_enough_when_the_others_change() -> None:
    face = People(2)
    photos = [face(*drawn(3, 30 + i), ME) for i in range(6)]
    assert chosen(choose_faces(candidates(photos), CROWD)) == [3] * 6


def test_somebody_else_is_not_you() -> None:
    face = People(3)
    photos = [face(ME) for _ in range(5)] + [face(STRANGER), face(FRIEND, STRANGER)]
    found = choose_faces(candidates(photos), CROWD)
    assert chosen(found) == [0] * 5 + ["not_you"] * 2
    assert found[5].reason.startswith("probably not you: of strangers, ")
    assert "none of its 2 faces" in found[6].reason
    assert "at most 5 %" in found[6].reason


def test_a_stranger_that_others_reach_and_who_stands_off_is_left_out_in_doubt() -> None:
    own = [[0.0, 1.0, 0.1 * k] for k in range(-4, 5)]
    vectors = np.array(own, np.float32) / np.linalg.norm(own, axis=1, keepdims=True)
    face = np.array([[0.6, 0.8, 0.0]], np.float32)

    def doubted(share: float, one: np.ndarray, members: np.ndarray) -> str:
        found = Candidates.of([one], [[True]], members[:0])

        def judge(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return np.zeros(len(rows)), np.full(len(rows), share)

        return subject._doubted(found, 0, Choice(0), judge, members).code

    assert doubted(0.03, face, vectors) == "doubtful"
    assert doubted(0.009, face, vectors) == ""  # no stranger is so alike
    assert doubted(0.03, vectors[3:4], vectors) == ""  # as like the others as they are
    assert doubted(0.03, face, vectors[:5]) == ""  # too few to say what is usual


def test_a_stranger_in_many_photos_brings_no_others() -> None:
    face = People(4)
    photos = [face(ME) for _ in range(7)] + [face(STRANGER) for _ in range(4)]
    assert chosen(choose_faces(candidates(photos), CROWD)) == [0] * 7 + ["not_you"] * 4


def test_a_friend_in_most_photos_is_still_not_you() -> None:
    face = People(5)
    photos = [face(FRIEND, ME) for _ in range(4)] + [face(ME) for _ in range(3)]
    assert chosen(choose_faces(candidates(photos), CROWD)) == [1] * 4 + [0] * 3


def test_two_people_in_every_photo_are_asked_about_or_refused() -> None:
    face = People(6)
    photos = [face(*drawn(1, 40), FRIEND, ME)] + [face(FRIEND, ME) for _ in range(5)]
    found = choose_faces(candidates(photos), CROWD)
    assert {one.code for one in found} == {"ambiguous"}
    assert "in 6 and in 6 of 6 photos" in found[0].reason
    asked: list[int] = []

    def ask(photo: int) -> int:
        asked.append(photo)
        return 1

    found = choose_faces(candidates(photos), CROWD, ask)
    assert len(asked) == 1
    assert asked[0] != 0  # a photo with fewer faces is easier to answer
    assert chosen(found) == [2, 1, 1, 1, 1, 1]
    assert {one.code for one in choose_faces(candidates(photos), CROWD, lambda _: None)} == {
        "ambiguous"
    }


def test_photos_of_many_people_show_nobody_often_enough() -> None:
    face = People(7)
    photos = [face(ME) for _ in range(3)] + [face(one) for one in drawn(4, 50)]
    found = choose_faces(candidates(photos), CROWD)
    assert {one.code for one in found} == {"ambiguous"}
    assert "3 of 7" in found[0].reason
    said = choose_faces(candidates(photos), CROWD, lambda photo: 0 if photo < 3 else None)
    assert chosen(said)[:3] == [0, 0, 0]
    assert chosen(said)[3:] == ["not_you"] * 4


def test_two_faces_that_agree_alike_are_ambiguous() -> None:
    face = People(8)
    alone = [face(ME) for _ in range(6)]
    twin = unit(ME + 0.05 * drawn(1, 60)[0])
    mirror = np.concatenate([alone[0], unit(alone[0] + 0.02 * drawn(1, 61))])
    photos = [*alone, np.concatenate([mirror, face(STRANGER)])]
    found = choose_faces(candidates(photos), CROWD)
    assert chosen(found) == [0] * 6 + ["ambiguous"]
    assert found[6].reason.startswith("2 of its 3 faces may be you")
    assert twin @ ME > 0.9
    assert chosen(choose_faces(candidates(photos), CROWD, lambda photo: 1))[6] == 1
    assert chosen(choose_faces(candidates(photos), CROWD, lambda photo: None))[6] == "ambiguous"


def test_nobody_is_asked_about_what_is_clear() -> None:
    face = People(9)
    photos = [face(ME) for _ in range(5)] + [face(ME, STRANGER), face(-ME)]

    def ask(photo: int) -> int:
        raise AssertionError(f"asked about photo {photo}")

    assert chosen(choose_faces(candidates(photos), CROWD, ask)) == [0] * 6 + ["not_you"]


def test_a_face_that_is_a_little_too_unlike_is_asked_about() -> None:
    face = People(16)
    photos = [face(ME) for _ in range(6)]
    judge = CROWD.judge(np.concatenate(photos))
    steps = unit(STRANGER + np.linspace(0, 1, 101)[:, None] * ME)
    shares = judge(steps)[1]
    doubtful = steps[[int(np.argmin(abs(shares - 0.1)))]]
    hopeless = steps[[int(np.argmin(abs(shares - 0.5)))]]
    asked: list[int] = []

    def ask(photo: int) -> int:
        asked.append(photo)
        return 0

    found = choose_faces(candidates([*photos, doubtful, hopeless]), CROWD, ask)
    assert asked == [6]
    assert chosen(found) == [0] * 7 + ["not_you"]
    assert chosen(choose_faces(candidates([*photos, doubtful]), CROWD))[6] == "not_you"


def test_a_face_of_poor_quality_takes_nobodys_place() -> None:
    face = People(10)
    photos = [face(ME) for _ in range(5)]
    double = np.concatenate([photos[0], face(ME)])
    found = choose_faces(candidates([*photos, double], bad=[(5, 0)]), CROWD)
    assert chosen(found) == [0] * 5 + [1]
    alone = choose_faces(candidates(photos, bad=[(2, 0)]), CROWD)
    assert chosen(alone) == [0] * 5  # its flaw is told elsewhere


def test_poor_faces_do_not_vote() -> None:
    face = People(11)
    photos = [face(ME) for _ in range(3)] + [face(FRIEND) for _ in range(5)]
    found = choose_faces(candidates(photos, bad=[(p, 0) for p in range(3, 8)]), CROWD)
    assert chosen(found) == [0] * 3 + ["not_you"] * 5


def test_known_photos_say_who_is_meant() -> None:
    face = People(12)
    known = np.concatenate([face(ME) for _ in range(5)])
    photos = [face(FRIEND), face(FRIEND, ME), face(FRIEND), face(ME)]
    assert chosen(choose_faces(candidates(photos, known=known), CROWD)) == [
        "not_you",
        1,
        "not_you",
        0,
    ]
    assert chosen(choose_faces(candidates([face(ME)], known=known), CROWD)) == [0]


def test_one_photo_is_used_when_it_shows_one_face() -> None:
    face = People(13)
    assert chosen(choose_faces(candidates([face(ME)]), CROWD)) == [0]
    found = choose_faces(candidates([face(ME, FRIEND)]), CROWD)
    assert chosen(found) == ["ambiguous"]
    assert chosen(choose_faces(candidates([face(ME, FRIEND)]), CROWD, lambda _: 1)) == [1]


def test_photos_without_faces_and_no_photos() -> None:
    face = People(14)
    assert choose_faces(candidates([]), CROWD) == []
    assert chosen(choose_faces(candidates([face(), face()]), CROWD)) == [None, None]


def test_a_group_settles_on_its_person() -> None:
    face = People(15)
    photos = [face(ME) for _ in range(6)] + [face(STRANGER) for _ in range(3)]
    hall = candidates(photos)
    everybody = np.ones(9, bool)
    wrong = np.full(9, NOBODY)
    wrong[[0, 1, 2, 3, 6]] = [0, 1, 2, 3, 6]  # four of one, one of the other
    assert settle(hall, CROWD, wrong, everybody).tolist() == [0, 1, 2, 3, 4, 5] + [NOBODY] * 3
    assert largest_group(hall, CROWD, everybody, seed=7)[6:].tolist() == [6, 7, 8]
    assert (largest_group(hall, CROWD, np.arange(9) > 5)[:6] == NOBODY).all()


@pytest.mark.parametrize("seed", range(8))
def test_the_order_of_photos_does_not_matter(seed: int) -> None:
    face = People(100 + seed, noise=0.7)
    photos = [face(ME) for _ in range(7)] + [face(STRANGER), face(FRIEND, ME), face(FRIEND)]
    order = np.random.default_rng(seed).permutation(len(photos))
    first = choose_faces(candidates(photos), CROWD)
    other = choose_faces(candidates([photos[i] for i in order]), CROWD)
    assert [first[i].code for i in order] == [one.code for one in other]
