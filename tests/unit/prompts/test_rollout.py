from collections import Counter
from itertools import pairwise
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from atrium.prompts.models import Variant
from atrium.prompts.rollout import chosen

PROMPT = UUID("0199d0f0-0000-7000-8000-000000000001")
SUBJECTS = [f"user:{number}" for number in range(4000)]
WEIGHTS = st.lists(st.integers(0, 100), min_size=1, max_size=4).filter(any)


def variants(weights: list[int] | list[float]) -> list[Variant]:
    return [Variant(version, weight) for version, weight in enumerate(weights, start=1)]


def share_out(weights: list[int] | list[float], label: str = "production", prompt: UUID = PROMPT) -> dict[str, int]:
    return {subject: chosen(variants(weights), prompt, label, subject) for subject in SUBJECTS}


@settings(max_examples=15, deadline=None)
@given(WEIGHTS)
def test_shares_are_those_of_the_weights(weights: list[int]) -> None:
    counts = Counter(share_out(weights).values())
    for version, weight in enumerate(weights, start=1):
        expected = len(SUBJECTS) * weight / sum(weights)
        assert abs(counts[version] - expected) <= 4.5 * (expected**0.5) + 1, (version, counts)


@settings(max_examples=15, deadline=None)
@given(WEIGHTS, st.data())
def test_when_weights_change_only_those_move_who_must(weights: list[int], data: st.DataObject) -> None:
    grown = data.draw(st.integers(0, len(weights) - 1))
    more = [weight + (20 if place == grown else 0) for place, weight in enumerate(weights)]
    before, after = share_out(weights), share_out(more)
    moved = {subject for subject in SUBJECTS if before[subject] != after[subject]}
    assert {after[subject] for subject in moved} <= {grown + 1}


def test_a_rollout_from_none_to_all_moves_everybody_once() -> None:
    steps = [share_out([100 - percent, percent]) for percent in (0, 10, 50, 90, 100)]
    assert set(steps[0].values()) == {1}
    assert set(steps[-1].values()) == {2}
    for before, after in pairwise(steps):
        assert all(after[subject] == 2 for subject in SUBJECTS if before[subject] == 2)


def test_the_same_shares_in_other_numbers_move_nobody() -> None:
    assert share_out([1, 3]) == share_out([0.25, 0.75]) == share_out([100, 300])


def test_labels_and_prompts_share_out_by_themselves() -> None:
    other = UUID("0199d0f0-0000-7000-8000-000000000002")
    first, second, third = share_out([1, 1]), share_out([1, 1], label="beta"), share_out([1, 1], prompt=other)
    for one, two in ((first, second), (first, third)):
        same = sum(one[subject] == two[subject] for subject in SUBJECTS)
        assert 0.45 < same / len(SUBJECTS) < 0.55


def test_who_gets_what_is_the_same_in_every_release() -> None:
    assert [chosen(variants([1, 1, 1]), PROMPT, "production", subject) for subject in SUBJECTS[:8]] == [1, 1, 3, 3, 3, 1, 3, 3]
