"""How much of a model's window is whose: the rules', the question's, the answer's, and what is left for passages."""

import math
from dataclasses import dataclass
from typing import Final

from atrium.answers.prompting import messages
from atrium.kernel.errors import FieldError, InvalidFields, InvalidInput
from atrium.providers.catalogue import ChatSpec
from atrium.providers.piece_counter import PieceCounter

_MOST: Final = 8000  # tokens of passages: more cost more and are read less well
_LEAST: Final = 256  # tokens of passages without which there is nothing to answer from; an eighth of a small window
_EIGHTH: Final = 8
_MESSAGE: Final = 8  # tokens that a wire puts around a message, and some
# The counter is up to a fifth below the truth on languages other than English, and knows no vocabulary of small models.
_MARGIN: Final = 1.25
_ANSWERS_SHARE: Final = 4  # a quarter of the window at most
_REASONING: Final = 8  # such models think within the bound of their answer
_counter: Final = PieceCounter()


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens: `answer` bounds what the model writes, `passages` what it is shown."""

    answer: int
    passages: int


def count_tokens(text: str) -> int:
    """Tokens of a text by a cautious estimate, for whatever model; rather too many than too few."""
    return math.ceil(len(_counter.offsets(text)) * _MARGIN)


def budget_of(spec: ChatSpec, question: str, answer: int, language: str = "", instructions: str | None = None) -> Budget:
    """The window divided, for an answer of about `answer` tokens by a prompt's `instructions` (None: those that ship).

    InvalidFields when the question leaves no room for passages, InvalidInput when the model's window is too small for any, or
    the instructions are too long for it.
    """
    wanted = answer * (_REASONING if spec.reasoning else 1)
    bound = max(1, min(wanted, spec.max_output, spec.context_window // _ANSWERS_SHARE))
    fixed = sum(count_tokens(each.text) + _MESSAGE for each in messages("", (), language, instructions))
    asked = count_tokens(question)
    least = min(_LEAST, spec.context_window // _EIGHTH)
    room = spec.context_window - bound - fixed - least
    if room <= 0:
        raise InvalidInput(f"{spec.model} reads {spec.context_window} tokens: too few to answer from documents.")
    if asked > room:
        raise InvalidFields((FieldError("/question", f"has about {asked} tokens; {spec.model} has room for {room}"),))
    return Budget(bound, min(_MOST, room + least - asked))
