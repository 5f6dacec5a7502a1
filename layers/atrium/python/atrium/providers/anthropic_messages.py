"""A conversation in the words of Anthropic's Messages API: turns of blocks, user and assistant by turns.

System messages, later ones too, go in front in their order: there alone every model takes them with their authority.
Neighbours of one role become one turn, and results of tools come first in theirs, as the API wants. It takes neither texts of
nothing but spaces, nor conversations that begin or end with the assistant: a note in brackets stands where a turn is missing.
"""

import base64
import binascii
import hashlib
import json
import math
import re
from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Any, Final, Literal, Never
from urllib.parse import unquote_to_bytes

from atrium.kernel.errors import InvalidInput
from atrium.providers.base import File, Image, Message, Part, Text, ToolCall

Block = dict[str, Any]
Turn = dict[str, Any]

# The key under which arguments that are no JSON object are kept as the model wrote them.
RAW_ARGUMENTS: Final = "raw_arguments"
BEGIN: Final = "(The conversation begins.)"
CONTINUE: Final = "(Continue.)"
EMPTY: Final = "(This message is empty.)"

_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SIGNATURES: Final = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_TITLE_LENGTH: Final = 500


def system_of(messages: Iterable[Message]) -> list[Block]:
    """The text of all system messages, in order."""
    return [block for message in messages if message.role == "system" for block in _texts(message)]


def turns_of(messages: Iterable[Message]) -> list[Turn]:
    """All other messages. `InvalidInput` for a part that no turn of its role can hold."""
    ids = _Ids()
    turns: list[Turn] = []
    for message in messages:
        if message.role != "system" and (blocks := _blocks_of(message, ids)):
            _add(turns, "assistant" if message.role == "assistant" else "user", blocks)
    if not turns or turns[0]["role"] == "assistant":
        turns.insert(0, {"role": "user", "content": [_text(BEGIN)]})
    if turns[-1]["role"] == "assistant":
        _add(turns, "user", [_text(CONTINUE)])
    for turn in turns:
        turn["content"].sort(key=lambda block: turn["role"] == "user" and block["type"] != "tool_result")
    return turns


def _add(turns: list[Turn], role: Literal["user", "assistant"], blocks: list[Block]) -> None:
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"].extend(blocks)
    else:
        turns.append({"role": role, "content": blocks})


def _blocks_of(message: Message, ids: "_Ids") -> list[Block]:
    match message.role:
        case "assistant":
            return _texts(message) + [_tool_use(call, ids) for call in message.tool_calls]
        case "tool":
            content = _blocks(message)
            result = {"type": "tool_result", "tool_use_id": ids.answered(message.tool_call_id)}
            return [result | ({"content": content} if content else {})]
        case _:
            return _blocks(message) or [_text(EMPTY)]


def _tool_use(call: ToolCall, ids: "_Ids") -> Block:
    return {"type": "tool_use", "id": ids.called(call.id), "name": call.name, "input": arguments_of(call.arguments)}


class _Ids:
    """Ids of calls as the API takes them: of its alphabet, and each once. Other vendors' may be neither."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._open: dict[str, deque[str]] = defaultdict(deque)

    def called(self, theirs: str) -> str:
        valid = _ID.fullmatch(theirs) is not None and theirs not in self._used
        own = theirs if valid else _made(f"{len(self._used)} {theirs}")
        self._used.add(own)
        self._open[theirs].append(own)
        return own

    def answered(self, theirs: str) -> str:
        """The id of the oldest call of that name that waits; a result without a call is the API's to refuse."""
        waiting = self._open[theirs]
        return waiting.popleft() if waiting else _made(theirs)


def _made(name: str) -> str:
    return f"toolu_{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:24]}"


def arguments_of(text: str) -> dict[str, Any]:
    """Arguments as the object that the API wants. What is no JSON object is kept as it was written, under `raw_arguments`."""
    if not text.strip():
        return {}
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {RAW_ARGUMENTS: text}


def _refuse(constant: str) -> Never:
    raise ValueError(constant)


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _refuse(number)


def _parts(message: Message) -> tuple[Part, ...]:
    return (Text(message.content),) if isinstance(message.content, str) else message.content


def _texts(message: Message) -> list[Block]:
    if any(not isinstance(part, Text) for part in _parts(message)):
        raise InvalidInput(f"A message of the {message.role} takes text only with this model")
    return _blocks(message)


def _blocks(message: Message) -> list[Block]:
    return [block for part in _parts(message) if (block := _block(part)) is not None]


def _block(part: Part) -> Block | None:
    match part:
        case Text():
            return _text(part.text) if part.text.strip() else None
        case Image():
            return {"type": "image", "source": _image_source(part)}
        case File():
            return _document(part)


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _image_source(image: Image) -> Block:
    if image.url and not image.url.startswith("data:"):
        return {"type": "url", "url": image.url}
    declared, data = _data_url(image.url) if image.url else (image.media_type, image.data)
    return _base64(_image_type(data) or declared, data, _IMAGES)


def _image_type(data: bytes) -> str | None:
    """What the bytes say, for the API compares and refuses a wrong name."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((name for start, name in _SIGNATURES if data.startswith(start)), None)


def _data_url(url: str) -> tuple[str, bytes]:
    head, comma, payload = url.removeprefix("data:").partition(",")
    try:
        data = base64.b64decode(payload, validate=True) if head.endswith(";base64") else unquote_to_bytes(payload)
    except (binascii.Error, ValueError) as exc:
        raise InvalidInput("An image's data URL is not base64") from exc
    if not comma:
        raise InvalidInput("An image's data URL has no data")
    return head.partition(";")[0], data


def _document(file: File) -> Block:
    source = _base64(file.media_type, file.data, frozenset({"application/pdf"}))
    title = file.name[:_TITLE_LENGTH]
    return {"type": "document", "source": source} | ({"title": title} if title.strip() else {})


def _base64(media_type: str, data: bytes, known: frozenset[str]) -> Block:
    if media_type not in known:
        raise InvalidInput(
            f"This model reads no {media_type[:100] or 'file of unknown type'!r}; it reads {', '.join(sorted(known))}"
        )
    return {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}
