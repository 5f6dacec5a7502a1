"""A window is divided before a model is asked: answer, rules, question, and the rest for passages."""

import pytest

from atrium.answers.budget import budget_of, count_tokens
from atrium.answers.prompting import messages
from atrium.kernel.errors import InvalidFields, InvalidInput
from atrium.providers.catalogue import ChatSpec

TINY = ChatSpec("ollama/tiny", 2048, 2048)


def test_the_parts_fit_the_window() -> None:
    question = "How long is the warranty?"

    budget = budget_of(TINY, question, 1024)

    fixed = sum(count_tokens(each.text) for each in messages(question, ()))
    assert budget.answer == 512, "a quarter of the window"
    assert 0 < budget.passages <= TINY.context_window - budget.answer - fixed
    assert budget.passages > 700


def test_a_large_window_is_not_filled() -> None:
    assert budget_of(ChatSpec("openai/gpt-4.1", 1_047_576, 32_768), "?", 1024).passages == 8000


def test_a_model_writes_no_more_than_it_can() -> None:
    assert budget_of(ChatSpec("x/y", 8192, 300), "?", 1024).answer == 300


def test_a_model_that_thinks_first_has_room_to() -> None:
    assert budget_of(ChatSpec("x/y", 200_000, 100_000, reasoning=True), "?", 1024).answer == 8192


def test_a_question_that_leaves_no_room_is_refused_with_both_numbers() -> None:
    with pytest.raises(InvalidFields) as caught:
        budget_of(TINY, "why " * 1000, 1024)

    (error,) = caught.value.errors
    assert error.pointer == "/question"
    assert error.detail.startswith(f"has about {count_tokens('why ' * 1000)} tokens; ollama/tiny has room for ")


def test_a_question_as_long_as_there_is_room_for_is_answered() -> None:
    with pytest.raises(InvalidFields) as caught:
        budget_of(TINY, "why " * 1000, 1024)
    room = int(caught.value.errors[0].detail.rsplit(" ", 1)[1])

    assert budget_of(TINY, "why " * int((room - 20) / 1.25), 1024).passages >= 256


def test_a_window_that_holds_not_even_the_rules_is_told() -> None:
    with pytest.raises(InvalidInput, match="reads 256 tokens"):
        budget_of(ChatSpec("x/y", 256, 256), "?", 1024)


@pytest.mark.parametrize(
    ("text", "least"),
    [("", 0), ("The warranty lasts two years.", 6), ("Die Gewährleistung dauert zwei Jahre.", 9), ("保修期为两年。", 5)],
)
def test_estimates_are_on_the_safe_side(text: str, least: int) -> None:
    assert least <= count_tokens(text) <= 3 * least + 1


def test_a_long_prompt_leaves_less_for_passages_and_too_long_a_one_is_refused() -> None:
    usual, wordy = (budget_of(TINY, "?", 1024, "", instructions).passages for instructions in (None, "be brief " * 100))
    assert wordy < usual
    with pytest.raises(InvalidInput, match="too few to answer"):
        budget_of(TINY, "?", 1024, "", "be brief " * 5000)
