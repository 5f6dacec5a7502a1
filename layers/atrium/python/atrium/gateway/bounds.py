"""What a call can come to, before it goes out: cautious token counts, and the most that it can cost.

A count is rather too high than too low, since it bounds what is reserved; what was spent is counted by the provider.
"""

import base64
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from atrium.gateway.dense_text import extra_pieces
from atrium.gateway.pdf_bounds import count_pdf
from atrium.kernel.errors import ContextTooLong, InvalidInput
from atrium.providers.base import ChatRequest, File, Image, JsonSchema, Message, Part, Text, Tool
from atrium.providers.catalogue import ChatSpec, chat_specs
from atrium.providers.piece_counter import PieceCounter

_counter: Final = PieceCounter()
# The counter is up to a fifth below the truth on languages other than English.
MARGIN: Final = 1.25
MESSAGE: Final = 8  # tokens that a wire puts around a message, a call or a tool
# An answer whose length nobody bounded is worth asking for from this length on; models that reason need more to say a word.
LEAST_ANSWER: Final = 256
_REASONING: Final = 8
# Tokens a second that nobody writes faster: what a model may have thought before its first word, or before its whole answer.
FASTEST: Final = 2_000

# A picture of a model that is not listed, in tokens, after the provider has made it smaller.
_PICTURE: Final = 4_000
# The same where OpenAI is asked to look at it in passing; others do not know the word.
_IN_PASSING: Final = 2_900
# What a model reads that is not listed.
_WINDOW: Final = 1_000_000
_PDF: Final = b"%PDF-"
_PDF_WITHIN: Final = 1024  # bytes from its beginning

# Fields of a body that are no text for the model, or are counted by what they are.
_UNTOLD: Final = frozenset({
    *("model", "messages", "input", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n", "stop", "seed"),
    *("temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty", "logit_bias"),
    *("logprobs", "top_logprobs", "parallel_tool_calls", "reasoning_effort", "verbosity", "encoding_format", "dimensions"),
    *("user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "metadata", "store", "service_tier"),
    "modalities",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """A call to one model: `input_tokens` cautiously counted, `max_tokens` of its answer; nano-dollars: `bound` is the most it
    can cost, `least` what it takes less than that where a budget has less (None: nothing less, the caller bounded the answer).
    """

    spec: ChatSpec
    input_tokens: int
    max_tokens: int
    bound: int
    least: int | None

    def affordable(self, reserved: int) -> int:
        """How long the answer may be for what was reserved, in tokens, at least 1."""
        if reserved >= self.bound:
            return self.max_tokens
        asked = self.spec.price.bound(self.input_tokens, 0)
        each = self.spec.price.bound(self.input_tokens, 1) - asked
        return max(1, min(self.max_tokens, (reserved - asked) // each)) if each else self.max_tokens


def plan(spec: ChatSpec, input_tokens: int, max_tokens: int | None) -> Plan:
    """What a call comes to at most. `max_tokens` None: as much as the model writes, or the budget has room for.

    ContextTooLong where input and answer are over the window even by an uncautious count; the provider decides what lies between.
    InvalidInput for a longer answer than the model writes.
    """
    sure = uncautious(input_tokens)
    if sure + (max_tokens or 1) > spec.context_window:
        raise ContextTooLong(sure + (max_tokens or 1), spec.context_window)
    if max_tokens is not None and max_tokens > spec.max_output:
        raise InvalidInput(f"max_tokens is {max_tokens}; {spec.model} answers with at most {spec.max_output} tokens.")
    answer = max_tokens or max(1, min(spec.max_output, spec.context_window - sure))
    bound = spec.price.bound(input_tokens, answer)
    if max_tokens is not None:
        return Plan(spec, input_tokens, answer, bound, None)
    least = min(answer, LEAST_ANSWER * (_REASONING if spec.reasoning else 1))
    return Plan(spec, input_tokens, answer, bound, spec.price.bound(input_tokens, least))


def uncautious(tokens: int) -> int:
    """What a cautious count most likely comes to."""
    return int(tokens / MARGIN)


def count_text(text: str) -> int:
    """Tokens of a text by a cautious estimate, for whatever model."""
    return math.ceil((_counter.count(text) + extra_pieces(text)) * MARGIN)


def count_input(request: ChatRequest) -> int:
    """Cautious tokens of everything that a request tells its model, which is named `provider/name`."""
    told = sum(_message(message, request.model) for message in request.messages)
    told += sum(_tool(tool) for tool in request.tools)
    return told + (_schema(request.response_format) if request.response_format else 0) + MESSAGE


def count_body(body: Mapping[str, Any]) -> int:
    """The same of a body in OpenAI's shape, for chats (`messages`) and embeddings (`input`); what is unknown counts as text."""
    model = str(body.get("model", ""))
    told = sum(_wire_message(each, model) for each in _items(body.get("messages")))
    told += sum(count_text(_dumped(value)) for name, value in body.items() if name not in _UNTOLD and value)
    return told + (_wire_input(body["input"]) if "input" in body else 0) + MESSAGE


def _message(message: Message, model: str) -> int:
    parts = (Text(message.content),) if isinstance(message.content, str) else message.content
    calls = sum(count_text(call.name) + count_text(call.arguments) + MESSAGE for call in message.tool_calls)
    return sum(_part(part, model) for part in parts) + calls + MESSAGE


def _part(part: Part, model: str) -> int:
    match part:
        case Text(text):
            return count_text(text)
        case Image(detail=detail):
            return _image(model, detail)
        case File(data):
            return count_pdf(data, _window(model))


def _image(model: str, detail: str) -> int:
    spec = chat_specs().get(model)
    most = spec.picture if spec else _PICTURE
    return min(most, _IN_PASSING) if detail == "low" and model.startswith("openai/") else most


def _window(model: str) -> int:
    spec = chat_specs().get(model)
    return spec.context_window if spec else _WINDOW


def _file(data: bytes, model: str) -> int:
    """Of a file in a body: a PDF, or what its model takes for text."""
    if _PDF in data[:_PDF_WITHIN]:
        return count_pdf(data, _window(model))
    try:
        return count_text(data.decode())
    except UnicodeDecodeError:
        return len(data)


def _tool(tool: Tool) -> int:
    return count_text(tool.name) + count_text(tool.description) + count_text(_dumped(tool.parameters)) + MESSAGE


def _schema(schema: JsonSchema) -> int:
    return count_text(schema.name) + count_text(schema.description) + count_text(_dumped(schema.schema)) + MESSAGE


def _wire_message(message: object, model: str) -> int:
    if not isinstance(message, Mapping):
        return count_text(_dumped(message))
    content = message.get("content")
    parts = [content] if isinstance(content, str) else _items(content)
    rest = {name: value for name, value in message.items() if name not in {"content", "role"} and value}
    return sum(_wire_part(part, model) for part in parts) + (count_text(_dumped(rest)) if rest else 0) + MESSAGE


def _wire_part(part: object, model: str) -> int:
    match part:
        case str():
            return count_text(part)
        case {"type": "text", "text": str(text)}:
            return count_text(text)
        case {"type": "image_url", "image_url": image}:
            return _image(model, str(image.get("detail")) if isinstance(image, Mapping) else "")
        case {"type": "file", "file": {"file_data": str(data)}}:
            return _file(_decoded(data), model)
        case {"type": "file"}:  # by its name at the provider: nobody here knows how long it is
            return _window(model)
    return count_text(_dumped(part))


def _wire_input(value: object) -> int:
    """Of an embedding: a text, a list of them, token ids, lists of them."""
    match value:
        case str():
            return count_text(value)
        case int():
            return 1
        case list():
            return sum(map(_wire_input, value))
    return count_text(_dumped(value))


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data.rpartition(",")[2], validate=False)
    except ValueError:
        return data.encode()


def _items(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else ()


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
