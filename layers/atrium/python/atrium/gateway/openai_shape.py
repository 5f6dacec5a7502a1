"""A chat in OpenAI's shape as a `ChatRequest`, for models that are on another wire.

What the other wire has words for is translated; what it could answer only wrongly is refused, by OpenAI's name of the field;
all else that was sent is named to the caller as ignored. Nothing is dropped silently.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from atrium.kernel.errors import FieldError, InvalidFields
from atrium.kernel.public_urls import check_public, is_data
from atrium.providers.base import (
    ChatRequest,
    File,
    Image,
    JsonSchema,
    Message,
    NamedTool,
    Part,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
)

_DATA_URL: Final = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,", re.ASCII | re.IGNORECASE)
_PDF: Final = "application/pdf"
_ROLES: Final = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
_DETAILS: Final = ("auto", "high", "low")
_CHOICES: Final = frozenset({"auto", "none", "required"})
type _Fields = Mapping[str, "_Fields | _Kinds | None"]


@dataclass(frozen=True, slots=True)
class _Kinds:
    """What is read of an object by its `type`."""

    fields: Mapping[str, _Fields]


_FUNCTION: Final[_Fields] = dict.fromkeys(("name", "description", "parameters", "strict"))
_CALLED: Final[_Fields] = {"id": None, "type": None, "function": {"name": None, "arguments": None}}
_PARTS: Final = _Kinds({
    "text": {"type": None, "text": None},
    "refusal": {"type": None, "refusal": None},
    "image_url": {"type": None, "image_url": {"url": None, "detail": None}},
    "file": {"type": None, "file": {"file_data": None, "filename": None}},
})  # fmt: skip
_FORMATS: Final = _Kinds({
    "text": {"type": None},
    "json_object": {"type": None},
    "json_schema": {"type": None, "json_schema": dict.fromkeys(("name", "description", "schema", "strict"))},
})  # fmt: skip
# What is read, and of it what; None: whole, whatever is in it.
_READ: Final[_Fields] = {
    **dict.fromkeys(("model", "stream", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "seed", "n")),
    **dict.fromkeys(("reasoning_effort", "parallel_tool_calls", "modalities", "functions", "function_call", "audio")),
    "messages": {
        **dict.fromkeys(("role", "name", "tool_call_id", "refusal")),
        "content": _PARTS,
        "tool_calls": _CALLED,
    },
    "tools": {"type": None, "function": _FUNCTION},
    "tool_choice": {"type": None, "function": {"name": None}},
    "response_format": _FORMATS,
    "stream_options": {"include_usage": None},
}
# What asks for nothing where it has its default.
_DEFAULTS: Final[Mapping[str, object]] = {
    "frequency_penalty": 0, "presence_penalty": 0, "logprobs": False, "store": False,
    "stream_options.include_obfuscation": False,
}  # fmt: skip


def refused(place: str, detail: str) -> InvalidFields:
    """A wrong field; `place` is a JSON pointer."""
    return InvalidFields((FieldError(place, detail),))


def chat_request(body: Mapping[str, Any], *, model: str, max_tokens: int, timeout: float) -> ChatRequest:
    """What the body asks for. `model` is the provider's own name. InvalidFields names what cannot be asked for."""
    _refuse_unspeakable(body)
    return ChatRequest(
        model=model,
        messages=tuple(_messages(body["messages"])),
        max_tokens=max_tokens,
        temperature=_number(body, "temperature"),
        top_p=_number(body, "top_p"),
        stop=tuple(_stop(body.get("stop"))),
        seed=_maybe(body, "seed", int),
        reasoning_effort=_maybe(body, "reasoning_effort", str),
        tools=tuple(_tool(each, f"/tools/{at}") for at, each in enumerate(_list(body.get("tools") or [], "/tools"))),
        tool_choice=_choice(body.get("tool_choice")),
        parallel_tool_calls=_maybe(body, "parallel_tool_calls", bool) is not False,
        response_format=_format(body.get("response_format")),
        timeout=timeout,
    )


def ignored(body: Mapping[str, Any]) -> Iterator[str]:
    """The fields that asked for something which no `ChatRequest` can say, in OpenAI's names with dots; each once."""
    yield from dict.fromkeys(_unread(body, _READ))
    if any(each.get("content") and each.get("refusal") for each in _objects(body.get("messages"))):
        yield "messages.refusal"


def _unread(value: Mapping[str, Any], read: _Fields | _Kinds, above: str = "") -> Iterator[str]:
    """The outermost first: the header has room for the first names only."""
    fields = read.fields.get(str(value.get("type")), {}) if isinstance(read, _Kinds) else read
    for name, each in value.items():
        if name not in fields and each is not None and each != _DEFAULTS.get(f"{above}{name}"):
            yield f"{above}{name}"
    for name, within in fields.items():
        if within is not None:
            for each in _objects(value.get(name)):
                yield from _unread(each, within, f"{above}{name}.")


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    """The object itself, or those in a list."""
    yield from (each for each in (value if isinstance(value, list) else [value]) if isinstance(each, Mapping))


def _refuse_unspeakable(body: Mapping[str, Any]) -> None:
    for name in ("functions", "function_call"):
        if body.get(name):
            raise refused(f"/{name}", "is not spoken to this model; send tools and tool_choice.")
    if body.get("n") not in (None, 1):
        raise refused("/n", "must be 1: this model gives one answer at a time.")
    if body.get("audio") or body.get("modalities") not in (None, [], ["text"]):
        raise refused("/modalities", "must be text: this model does not speak.")


def _messages(value: object) -> Iterator[Message]:
    for at, each in enumerate(_list(value, "/messages")):
        yield _message(_object(each, f"/messages/{at}"), f"/messages/{at}")


def _message(message: Mapping[str, Any], place: str) -> Message:
    role = _ROLES.get(str(message.get("role")))
    if role is None:
        raise refused(f"{place}/role", f"must be one of {', '.join(_ROLES)}.")
    if message.get("function_call") is not None:
        raise refused(f"{place}/function_call", "is not spoken to this model; send tool_calls.")
    calls = _list(message.get("tool_calls") or [], f"{place}/tool_calls")
    content = _content(message.get("content"), f"{place}/content")
    return Message(
        role=cast('Literal["system", "user", "assistant", "tool"]', role),
        content=content or _text(message.get("refusal") or "", f"{place}/refusal"),
        tool_calls=tuple(_call(each, f"{place}/tool_calls/{number}") for number, each in enumerate(calls)),
        tool_call_id=_text(message.get("tool_call_id") or "", f"{place}/tool_call_id"),
        name=_text(message.get("name") or "", f"{place}/name"),
    )


def _content(value: object, place: str) -> str | tuple[Part, ...]:
    if value is None or isinstance(value, str):
        return value or ""
    return tuple(_part(_object(each, f"{place}/{at}"), f"{place}/{at}") for at, each in enumerate(_list(value, place)))


def _part(part: Mapping[str, Any], place: str) -> Part:
    match part.get("type"):
        case "text":
            return Text(_text(part.get("text"), f"{place}/text"))
        case "refusal":
            return Text(_text(part.get("refusal"), f"{place}/refusal"))
        case "image_url":
            return _image(_object(part.get("image_url"), f"{place}/image_url"), f"{place}/image_url")
        case "file":
            return _file(_object(part.get("file"), f"{place}/file"), f"{place}/file")
    raise refused(f"{place}/type", "must be text, image_url or file for this model.")


def _image(image: Mapping[str, Any], place: str) -> Image:
    if (image.get("detail") or "auto") not in _DETAILS:
        raise refused(f"{place}/detail", f"must be one of {', '.join(_DETAILS)}.")
    detail = cast('Literal["auto", "low", "high"]', image.get("detail") or "auto")
    url = _text(image.get("url"), f"{place}/url")
    if is_data(url):
        media_type, data = _data(url, f"{place}/url")
        return Image(data=data, media_type=media_type, detail=detail)
    try:
        return Image(url=check_public(url), detail=detail)
    except ValueError as wrong:
        raise refused(f"{place}/url", f"{wrong}, or a data: URL.") from None


def _file(file: Mapping[str, Any], place: str) -> File:
    if file.get("file_data") is None:
        raise refused(f"{place}/file_data", "is needed: files of the Files API are not known here.")
    text = _text(file["file_data"], f"{place}/file_data")
    media_type, data = _data(text if is_data(text) else f"data:{_PDF};base64,{text}", f"{place}/file_data")
    if media_type != _PDF:
        raise refused(f"{place}/file_data", f"must be {_PDF}.")
    return File(data, media_type, _text(file.get("filename") or "document.pdf", f"{place}/filename"))


def _data(url: str, place: str) -> tuple[str, bytes]:
    head = _DATA_URL.match(url)
    if head is None:
        raise refused(place, "must be a data: URL in base64 that names its type.")
    try:
        return head["type"] or "text/plain", base64.b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError) as exc:
        raise refused(place, "is not base64.") from exc


def _call(value: object, place: str) -> ToolCall:
    call = _object(value, place)
    if call.get("type", "function") != "function":
        raise refused(f"{place}/type", "must be function for this model.")
    function = _object(call.get("function"), f"{place}/function")
    return ToolCall(
        _text(call.get("id"), f"{place}/id"),
        _text(function.get("name"), f"{place}/function/name"),
        _text(function.get("arguments"), f"{place}/function/arguments"),
    )


def _tool(value: object, place: str) -> Tool:
    tool = _object(value, place)
    if tool.get("type") != "function":
        raise refused(f"{place}/type", "must be function for this model.")
    function = _object(tool.get("function"), f"{place}/function")
    return Tool(
        _text(function.get("name"), f"{place}/function/name"),
        _text(function.get("description") or "", f"{place}/function/description"),
        _object(function.get("parameters") or {}, f"{place}/function/parameters"),
        strict=bool(function.get("strict")),
    )


def _choice(value: object) -> ToolChoice:
    match value:
        case None:
            return "auto"
        case "auto" | "none" | "required":
            return value
        case {"type": "function", "function": {"name": str(name)}}:
            return NamedTool(name)
    raise refused("/tool_choice", f"must be {', '.join(sorted(_CHOICES))} or a named function for this model.")


def _format(value: object) -> JsonSchema | None:
    match value:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return JsonSchema()
        case {"type": "json_schema", "json_schema": {"name": str(name), **rest}}:
            place = "/response_format/json_schema"
            described = _text(rest.get("description") or "", f"{place}/description")
            return JsonSchema(name, _object(rest.get("schema") or {}, f"{place}/schema"), bool(rest.get("strict")), described)
    raise refused("/response_format", "must be text, json_object, or json_schema with a name and a schema.")


def _stop(value: object) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else [_text(each, f"/stop/{at}") for at, each in enumerate(_list(value, "/stop"))]


def _number(body: Mapping[str, Any], name: str) -> float | None:
    value = body.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise refused(f"/{name}", "must be a number.")
    return value


def _maybe[T](body: Mapping[str, Any], name: str, kind: Callable[..., T]) -> T | None:
    value = body.get(name)
    if value is not None and type(value) is not kind:
        raise refused(f"/{name}", f"must be of the type {getattr(kind, '__name__', kind)}.")
    return cast("T | None", value)


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise refused(place, "must be a string.")
    return value


def _object(value: object, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise refused(place, "must be an object.")
    return value


def _list(value: object, place: str) -> list[object]:
    if not isinstance(value, list):
        raise refused(place, "must be a list.")
    return value
