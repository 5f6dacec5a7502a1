"""What is shown, cited and listed does not depend on how the model's answer was cut into pieces."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atrium.answers.models import AnswerEvent, Citation, Token
from atrium.answers.service import _Writing
from atrium.providers.base import Completed, TextDelta, Usage
from tests.integration.answers.attacks import ATTACKS
from tests.unit.answers.test_citations import SOURCES

GOOD = 'Refunds are paid "within 14 days after receipt" [1]. The warranty lasts two years. [2]\nNobody knows more.'
FILLED = {
    "{STEAL}": "https://evil.example/?q=secret",
    "{EVIL}": "https://evil.example/",
    "{COLON}": "://",
    "{HOST}": "evil.example",
}


def told(name: str) -> str:
    text = ATTACKS[name].says
    for placeholder, value in FILLED.items():
        text = text.replace(placeholder, value)
    return f"{GOOD} {text}"


def written(*pieces: str) -> tuple[str, list[Citation], tuple[str, ...]]:
    writing = _Writing(SOURCES, "atrium.example", "Nothing.")
    events: list[AnswerEvent] = [event for piece in pieces for event in writing.take(TextDelta(piece))]
    events += writing.take(Completed("stop", Usage(), "m"))
    done = writing.done("x/m")
    assert done.answer == "".join(event.text for event in events if isinstance(event, Token))
    assert list(done.citations) == [event for event in events if isinstance(event, Citation)]
    return done.answer, list(done.citations), done.unsupported


@pytest.mark.parametrize("name", [name for name, attack in ATTACKS.items() if attack.says])
def test_character_by_character_is_as_at_once(name: str) -> None:
    text = told(name)

    assert written(*text) == written(text)


@settings(deadline=None)
@given(
    name=st.sampled_from([name for name, attack in ATTACKS.items() if attack.says]),
    cuts=st.lists(st.integers(0, 250), max_size=12),
)
def test_the_cuts_of_a_stream_change_nothing(name: str, cuts: list[int]) -> None:
    text = told(name)
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]

    assert written(*(text[start:end] for start, end in pairwise(places))) == written(text)
