"""The two interfaces that a provider implements, one or both, and the shapes they speak."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Text:
    """Text among the parts of a message."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: at a `url` that the provider fetches itself, or its bytes with their type."""

    url: str = ""
    data: bytes = field(default=b"", repr=False)
    media_type: str = ""
    detail: Literal["auto", "low", "high"] = "auto"


@dataclass(frozen=True, slots=True)
class File:
    """A PDF that the model reads itself."""

    data: bytes = field(repr=False)
    media_type: str = "application/pdf"
    name: str = "document.pdf"


Part = Text | Image | File


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for. `arguments` is JSON text as the model wrote it, and may be broken."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat. An assistant's `tool_calls` are each answered by a `tool` message of their `tool_call_id`."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | tuple[Part, ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""

    @property
    def text(self) -> str:
        """Its text, without what is not."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content if isinstance(part, Text))


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may ask for; `parameters` is a JSON schema. `strict`: its arguments must fit it."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """What the answer must be: JSON of this schema. An empty schema: any JSON object."""

    name: str = "answer"
    schema: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = True
    description: str = ""


@dataclass(frozen=True, slots=True)
class NamedTool:
    """The one tool that must be called."""

    name: str


ToolChoice = Literal["auto", "none", "required"] | NamedTool


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

    What is None is left to the provider. `no_answer` is what the messages ask a model to say when its passages do not answer,
    in the question's language. `timeout`: seconds for the whole call, retries included. An adapter whose
    wire has no words for some of it is a `Partial`.
    """

    model: str
    messages: tuple[Message, ...]
    max_tokens: int = 1024
    temperature: float | None = 0.0
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    reasoning_effort: str | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    response_format: JsonSchema | None = None
    passages: tuple[Passage, ...] = ()
    question: str = ""
    no_answer: str = ""
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, as the provider counts them; `cached_tokens` are among the `input_tokens`."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of the tool call at `index`, from 0. Its first piece has `id` and `name`; `arguments` are pieces of JSON text."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Completed:
    """The end of a stream, always last, exactly once. A provider that tells no usage gives `counted` False."""

    finish_reason: Literal["stop", "length", "content_filter", "tool_calls"]
    usage: Usage
    model: str
    counted: bool = True


ChatEvent = TextDelta | ToolCallDelta | Completed


class ChatModel(Protocol):
    """A provider of answers. Errors: `ProviderUnavailable` (retryable), `ProviderError` (not)."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """Yield `TextDelta`s, then one `Completed`. Closing the iterator cancels the provider's call."""
        ...


@dataclass(frozen=True, slots=True)
class Vectors:
    """`count` × `dimensions` float32, little-endian, row by row: what OpenAI's base64 carries, never Python floats.

    `tokens` of the texts, as the provider counts them; None where it does not say.
    """

    count: int
    dimensions: int
    data: bytes = field(repr=False)
    tokens: int | None = None


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
class Parted(Protocol):
    """An `Embedder` that asks for many texts in several calls: one may fail after others were answered, and paid for."""

    @property
    def texts_per_call(self) -> int:
        """So many texts go out in one call."""
        ...


@runtime_checkable
class Partial(Protocol):
    """A provider whose wire has no words for some of what a request can say; nothing is dropped silently."""

    def ignores(self, request: ChatRequest) -> tuple[str, ...]:
        """The request's fields, in OpenAI's names, that this provider will not be told: `seed`."""
        ...


@runtime_checkable
class Closable(Protocol):
    """A provider that holds connections."""

    async def close(self) -> None:
        """Close them; the provider can be used again."""
        ...
