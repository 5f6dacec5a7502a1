"""What is known of each model: models.json beside this file, read once."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from atrium.kernel.errors import InvalidInput

_DATA = Path(__file__).with_name("models.json")


class EmbeddingSpace(NamedTuple):
    """An embedding model, `provider/name`, and the space that its vectors live in.

    `id` is for ever: it names the space's partition. `max_tokens` of one input are read, special tokens included.
    """

    id: int
    model: str
    dimensions: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class ChatSpec:
    """A chat model, `provider/name`; sizes in tokens. A `reasoning` model takes no temperature."""

    model: str
    context_window: int
    max_output: int
    reasoning: bool = False


@cache
def embedding_spaces() -> tuple[EmbeddingSpace, ...]:
    """Every embedding space there is, in order of id."""
    rows = _read()["embedding"].items()
    spaces = (EmbeddingSpace(row["space"], model, row["dimensions"], row["max_tokens"]) for model, row in rows)
    return tuple(sorted(spaces))


@cache
def chat_specs() -> tuple[ChatSpec, ...]:
    """Every chat model there is."""
    return tuple(ChatSpec(model=model, **row) for model, row in _read()["chat"].items())


def embedding_space(model: str) -> EmbeddingSpace:
    """The space of `provider/name`. `InvalidInput` names what exists."""
    return _named(model, embedding_spaces(), "embedding")


def chat_spec(model: str) -> ChatSpec:
    """What is known of `provider/name`. `InvalidInput` names what exists."""
    return _named(model, chat_specs(), "chat")


def _named[Known: (EmbeddingSpace, ChatSpec)](model: str, known: Iterable[Known], kind: str) -> Known:
    by_name = {each.model: each for each in known}
    if model not in by_name:
        raise InvalidInput(f"Unknown {kind} model {model[:100]!r}. Known: {', '.join(by_name)}")
    return by_name[model]


def _read() -> dict[str, dict[str, dict[str, Any]]]:
    content: dict[str, dict[str, dict[str, Any]]] = json.loads(_DATA.read_text(encoding="utf-8"))
    return content
