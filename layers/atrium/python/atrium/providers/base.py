"""The two interfaces that a provider implements, one or both, and the shapes they speak."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved passage that is already rendered into the messages; `marker` is its citation number, from 1.

    Language models read it there; a provider without a language model (local/extractive) reads it here.
    """

    marker: int
    text: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """`model` is the provider's own name, without the `provider/` prefix. `max_tokens` bounds the answer.

    `no_answer` is what the messages ask a model to say when its passages do not answer, in the question's language.
    """

    model: str
    messages: tuple[Message, ...]
    max_tokens: int = 1024
    temperature: float = 0.0
    passages: tuple[Passage, ...] = ()
    question: str = ""
    no_answer: str = ""
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, as the provider counts them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Completed:
    """The end of a stream, always last, exactly once."""

    finish_reason: Literal["stop", "length", "content_filter", "tool_calls"]
    usage: Usage
    model: str


ChatEvent = TextDelta | Completed


class ChatModel(Protocol):
    """A provider of answers. Errors: `ProviderUnavailable` (retryable), `ProviderError` (not)."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """Yield `TextDelta`s, then one `Completed`. Closing the iterator cancels the provider's call."""
        ...


@dataclass(frozen=True, slots=True)
class Vectors:
    """`count` × `dimensions` float32, little-endian, row by row: what OpenAI's base64 carries, never Python floats."""

    count: int
    dimensions: int
    data: bytes = field(repr=False)


class TokenCounter(Protocol):
    """The tokenizer of an embedding space."""

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Character span (start, end) in `text` of every token, special tokens left out, in order."""
        ...

    @property
    def special_tokens(self) -> int:
        """How many tokens the model adds to every input."""
        ...


class Embedder(Protocol):
    """A provider of vectors. Errors: `ProviderUnavailable` (retryable), `ProviderError` (not)."""

    @property
    def dimensions(self) -> int:
        """Length of every vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens of one input that are read, special tokens included; the rest would be lost."""
        ...

    @property
    def tokenizer(self) -> TokenCounter:
        """Counts as the model counts."""
        ...

    async def embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Vectors:
        """One L2-normalised vector per text, in order."""
        ...


@runtime_checkable
class Closable(Protocol):
    """A provider that holds connections."""

    async def close(self) -> None:
        """Close them; the provider can be used again."""
        ...
