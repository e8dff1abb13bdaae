"""What is claimed of a false match rate, and exactly what cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from facekit.evaluation.claim import (
    Claim,
    Kind,
    all_cohorts,
    claim_fmr,
    percent,
    slice_false_matches,
)
from facekit.evaluation.intervals import clopper_pearson
from facekit.labels import attribute_index

RNG = np.random.default_rng(0)
COUNT = 4000


def looks(n: int = COUNT) -> np.ndarray:
    """Half men; three quarters young."""
    out = RNG.random((n, 40))
    out[:, attribute_index("Male")] = np.arange(n) % 2
    out[:, attribute_index("Young")] = np.arange(n) % 4 < 3
    return out


def claim(fmr: float, kind: Kind = "matched", n: int = COUNT) -> Claim:
    strangers = looks(n)
    man = strangers[1:2]  # a young man; men score higher against him
    scores = RNG.normal(size=n) + 2 * strangers[:, attribute_index("Male")]
    return claim_fmr(scores, all_cohorts(man, strangers), fmr, kind)


def test_what_enough_strangers_allow() -> None:
    found = claim(0.01)
    matched, sex, every = found.passed
    assert (matched.strangers, sex.strangers, every.strangers) == (1000, 2000, 4000)
    assert found.supported and found.strangers == 1000
    assert matched.hits <= 10 and sex.hits <= 20 and every.hits <= 40
    assert matched.interval == clopper_pearson(matched.hits, 1000)
    assert not any("cannot be claimed" in line for line in found.words)
    assert f"{matched.hits} of 1,000 people of the same apparent sex and age" in found.words[0]


def test_the_interval_spans_every_crowd_and_more() -> None:
    found = claim(0.01)
    ends = np.array([one.interval for one in found.passed])
    assert found.interval[0] < ends.min() and found.interval[1] > ends.max()
    assert found.interval[1] == pytest.approx(1.5 * ends.max())
    assert found.interval[0] < 0.01 < found.interval[1]


def test_what_does_not_carry_over_is_not_claimed() -> None:
    strangers = looks()
    cohorts = all_cohorts(strangers[1:2], strangers)
    scores = RNG.normal(size=COUNT)
    here, elsewhere = (
        claim_fmr(scores, cohorts, 0.01, "matched", carries=carries) for carries in (True, False)
    )
    assert elsewhere.threshold == here.threshold and elsewhere.interval[1] == 1.0
    assert here.supported and not elsewhere.supported
    assert elsewhere.words[:-1] == here.words[:-1]
    assert "nothing can be claimed" in elsewhere.words[-1]
    assert "between" in here.words[-1] and here.interval[1] < 0.05


def test_a_threshold_for_everybody_says_what_it_means_for_people_alike() -> None:
    wide, narrow = claim(0.01, "all"), claim(0.01, "matched")
    assert wide.threshold < narrow.threshold
    assert wide.strangers == COUNT and wide.supported
    assert wide.passed[0].hits / 1000 > 0.015  # men alike pass more often
    assert wide.interval[1] > wide.passed[0].interval[1]


def test_too_few_strangers_are_told_exactly() -> None:
    found = claim(0.001)
    assert not found.supported and found.strangers == 1000
    first = found.words[0]
    assert "FMR 0.1 % cannot be claimed for people of the same apparent sex and age" in first
    assert "it takes 3,000 different ones, and there are 1,000" in first
    assert "none of them passes, which shows a rate below 0.3 % and no more" in first
    assert any(line.startswith("FMR 0.1 %: ") and "of 4,000" in line for line in found.words)
    assert found.passed[2].hits <= 4


def test_a_handful_of_strangers_supports_nothing() -> None:
    found = claim(0.01, n=8)
    assert not found.supported
    assert sum("cannot be claimed" in line for line in found.words) == 3
    assert found.interval[1] == 1.0 and found.interval[0] == 0.0


def test_false_matches_by_sex_age_and_glasses() -> None:
    attributes = np.zeros((4, 40))
    attributes[:2, attribute_index("Male")] = 1
    attributes[0, attribute_index("Eyeglasses")] = 1
    slices = slice_false_matches(np.array([3.0, 1, 2, 0]), 2.0, attributes)
    found = {one.words: (one.hits, one.strangers) for one in slices}
    assert found == {
        "men": (1, 2),
        "women": (1, 2),
        "young": (0, 0),
        "older": (2, 4),
        "with glasses": (1, 1),
        "without glasses": (1, 3),
    }
    assert "none" in str(slices[2])


def test_shares_in_words() -> None:
    assert [percent(x) for x in (0, 0.00123, 0.01, 0.0449, 0.0996, 0.5, 0.996, 1, 1.2e-7)] == [
        "0 %", "0.12 %", "1 %", "4.5 %", "10 %", "50 %", "100 %", "100 %", "0.000012 %",
    ]  # fmt: skip
