"""The wire contracts of the gateway."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from atrium.gateway.models import Answered, Embedded
from atrium.ledger.models import dollars
from atrium.providers.base import JsonSchema, NamedTool, Tool, ToolChoice, Usage
from atrium.web.prompt_fields import PromptField
from atrium.web.schemas import Reply, StrictModel
from functions.llm.parts import MessageIn, ToolName

MOST_MESSAGES = 2000
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Temperature = Annotated[float, Field(ge=0, le=2)]
Day = 86_400


class ToolIn(StrictModel):
    """A function that the model may ask for; `parameters` is a JSON schema."""

    name: ToolName
    description: Annotated[str, StringConstraints(max_length=10_000)] = ""
    parameters: Annotated[dict[str, Any], Field(default_factory=dict)]
    strict: bool = False

    def tool(self) -> Tool:
        """The domain's form."""
        return Tool(self.name, self.description, self.parameters, self.strict)


class NamedToolIn(StrictModel):
    """The one tool that must be called."""

    name: ToolName


class TextFormatIn(StrictModel):
    """Text, as without a format."""

    type: Literal["text"]

    def schema_of(self) -> None:
        """None: nothing is asked."""


class JsonObjectFormatIn(StrictModel):
    """Any JSON object."""

    type: Literal["json_object"]

    def schema_of(self) -> JsonSchema:
        """The domain's form."""
        return JsonSchema()


class JsonSchemaFormatIn(StrictModel):
    """JSON of a schema."""

    model_config = ConfigDict(protected_namespaces=())

    type: Literal["json_schema"]
    name: ToolName = "answer"
    description: Annotated[str, StringConstraints(max_length=10_000)] = ""
    json_schema: Annotated[dict[str, Any], Field(alias="schema", min_length=1)]
    strict: bool = True

    def schema_of(self) -> JsonSchema:
        """The domain's form."""
        return JsonSchema(self.name, self.json_schema, self.strict, self.description)


FormatIn = Annotated[TextFormatIn | JsonObjectFormatIn | JsonSchemaFormatIn, Field(discriminator="type")]


class CacheIn(StrictModel):
    """An answer to the very same request may be so many seconds old, and this one is kept as long."""

    ttl: Annotated[int, Field(ge=1, le=Day)]


class ChatIn(StrictModel):
    """A chat. `model`, or `models` in order of preference: the next is asked where one does not answer.
    Neither, and none of the prompt's: your organisation's default for chats (`/llm-defaults/chat`).

    `prompt` puts a stored prompt's messages before `messages`, and its model and parameters where the request says none.
    """

    model: ModelName | None = None
    models: Annotated[list[ModelName], Field(min_length=1, max_length=8)] | None = None
    messages: Annotated[list[MessageIn], Field(default_factory=list, max_length=MOST_MESSAGES)]
    prompt: PromptField | None = None
    tools: Annotated[list[ToolIn], Field(default_factory=list, max_length=128)]
    tool_choice: Literal["auto", "none", "required"] | NamedToolIn = "auto"
    parallel_tool_calls: bool = True
    response_format: FormatIn | None = None
    temperature: Temperature | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="Absent: as long as the model writes, or the budget has room for."
    )
    stop: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=100)]], Field(default_factory=list, max_length=4)
    ]
    seed: int | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    metadata: Annotated[
        dict[Annotated[str, StringConstraints(max_length=64)], Annotated[str, StringConstraints(max_length=512)]],
        Field(default_factory=dict, max_length=16, description="Yours: it comes back with the answer."),
    ]
    cache: CacheIn | None = None

    @model_validator(mode="after")
    def _is_a_chat(self) -> Self:
        if self.model is not None and self.models is not None:
            raise ValueError("has either model or models")
        if not self.messages and self.prompt is None:
            raise ValueError("needs messages, or a prompt")
        if isinstance(self.tool_choice, NamedToolIn) and self.tool_choice.name not in {tool.name for tool in self.tools}:
            raise ValueError("tool_choice names none of the tools")
        if len({tool.name for tool in self.tools}) != len(self.tools):
            raise ValueError("two tools have one name")
        return self

    def choice(self) -> ToolChoice:
        """The domain's form of `tool_choice`."""
        return NamedTool(self.tool_choice.name) if isinstance(self.tool_choice, NamedToolIn) else self.tool_choice


class EmbedIn(StrictModel):
    """Texts to embed; `model` is the deployment's own when absent. `kind`: some models tell questions from documents."""

    model: ModelName | None = None
    input: (
        Annotated[str, StringConstraints(min_length=1)]
        | Annotated[list[Annotated[str, StringConstraints(min_length=1)]], Field(min_length=1, max_length=2048)]
    )
    kind: Literal["document", "query"] = "document"
    encoding_format: Literal["float", "base64"] = "float"

    def texts(self) -> list[str]:
        """Always a list."""
        return [self.input] if isinstance(self.input, str) else self.input


class ChatUsageOut(Reply):
    """Tokens; `cached_tokens` are those of the input that the provider had read before."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int

    @classmethod
    def of(cls, usage: Usage) -> Self:
        """The wire form."""
        return cls.model_validate(usage)


class ToolCallOut(Reply):
    """A call that the model asks for. `arguments` is JSON text as the model wrote it: check it."""

    id: str
    name: str
    arguments: str


class AnswerMessageOut(Reply):
    """The model's turn; it goes into the next request as it is."""

    role: Literal["assistant"]
    content: str
    tool_calls: list[ToolCallOut]


class AttemptOut(Reply):
    """One try: what it came to, the status that the provider answered where it did, and how long it took."""

    provider: str
    model: str
    outcome: Literal["ok", "unavailable", "timeout", "refused", "failed", "circuit_open", "not_configured"]
    status: int | None
    milliseconds: int
    detail: str


class ChatOut(Reply):
    """An answer. `id` is the call's in the usage of your organisation; `cached`: it was kept, and costs nothing."""

    id: UUID
    model: str
    provider: str
    message: AnswerMessageOut
    finish_reason: Literal["stop", "length", "content_filter", "tool_calls"]
    usage: ChatUsageOut
    cost_usd: float
    attempts: list[AttemptOut]
    cached: bool
    warnings: list[str]
    metadata: dict[str, str]

    @classmethod
    def of(cls, answered: Answered, metadata: Mapping[str, str]) -> Self:
        """The wire form."""
        message = answered.message
        calls = [ToolCallOut.model_validate(call) for call in message.tool_calls]
        return cls(
            id=answered.id,
            model=answered.model,
            provider=answered.model.partition("/")[0],
            message=AnswerMessageOut(role="assistant", content=message.text, tool_calls=calls),
            finish_reason=answered.finish_reason,
            usage=ChatUsageOut.of(answered.usage),
            cost_usd=dollars(answered.cost),
            attempts=[AttemptOut.model_validate(each) for each in answered.attempts],
            cached=answered.cached,
            warnings=list(answered.warnings),
            metadata=dict(metadata),
        )


class VectorOut(Reply):
    """One text's vector, of length 1: numbers, or base64 of little-endian float32 where that was asked for."""

    index: int
    embedding: list[float] | str


class EmbeddingUsageOut(Reply):
    """Tokens."""

    input_tokens: int


class EmbedOut(Reply):
    """Vectors, in the order of the texts."""

    id: UUID
    model: str
    provider: str
    dimensions: int
    data: list[VectorOut]
    usage: EmbeddingUsageOut
    cost_usd: float

    @classmethod
    def of(cls, embedded: Embedded, encoding: Literal["float", "base64"]) -> Self:
        """The wire form."""
        return cls(
            id=embedded.id,
            model=embedded.model,
            provider=embedded.model.partition("/")[0],
            dimensions=embedded.vectors.dimensions,
            data=[VectorOut(index=at, embedding=each) for at, each in enumerate(_encoded(embedded, encoding))],
            usage=EmbeddingUsageOut(input_tokens=embedded.input_tokens),
            cost_usd=dollars(embedded.cost),
        )


def _encoded(embedded: Embedded, encoding: str) -> list[list[float]] | list[str]:
    import numpy as np

    vectors = embedded.vectors
    if encoding == "float":
        rows: list[list[float]] = np.frombuffer(vectors.data, dtype="<f4").reshape(vectors.count, vectors.dimensions).tolist()
        return rows
    from base64 import b64encode

    size = len(vectors.data) // vectors.count
    return [b64encode(vectors.data[at : at + size]).decode() for at in range(0, len(vectors.data), size)]
