"""A `ChatRequest` in the words of OpenAI's two wires: the body of Chat Completions, and that of Responses."""

import base64
from collections.abc import Iterator
from typing import Any, Final

from atrium.providers.base import ChatRequest, File, Image, JsonSchema, Message, NamedTool, Part, Text, Tool
from atrium.providers.catalogue import ChatSpec, Provider

Json = dict[str, Any]
# What the Responses API has no words for, and what reasoning models refuse: in OpenAI's names.
_SAMPLING: Final = ("temperature", "top_p")
_NOT_IN_RESPONSES: Final = ("stop", "seed")


def chat_body(request: ChatRequest, provider: Provider, spec: ChatSpec) -> Json:
    """The body for `POST /chat/completions`, but for what makes it a stream."""
    # Only OpenAI and those that follow it closely refuse the older name, which every other server knows.
    bound = "max_tokens" if provider.open else "max_completion_tokens"
    wanted = _sampling(request, spec) | {
        "model": spec.api_name or request.model,
        "messages": [_chat_message(each) for each in request.messages],
        bound: request.max_tokens,
        "stop": list(request.stop) or None,
        "seed": request.seed,
        "reasoning_effort": request.reasoning_effort,
        "response_format": request.response_format and _chat_format(request.response_format),
    }
    return _said(wanted | _tools(request, nested=True))


def responses_body(request: ChatRequest, spec: ChatSpec) -> Json:
    """The body for `POST /responses`, but for what makes it a stream. The provider keeps nothing of it (`store`)."""
    wanted = _sampling(request, spec) | {
        "model": spec.api_name or request.model,
        "input": [item for each in request.messages for item in _items(each)],
        "max_output_tokens": request.max_tokens,
        "reasoning": request.reasoning_effort and {"effort": request.reasoning_effort},
        "text": request.response_format and {"format": _responses_format(request.response_format)},
        "store": False,
    }
    return _said(wanted | _tools(request, nested=False))


def unsaid(request: ChatRequest, spec: ChatSpec, *, responses: bool) -> tuple[str, ...]:
    """The fields of a request, in OpenAI's names, that a body does not carry."""
    silent = (_SAMPLING if spec.reasoning else ()) + (_NOT_IN_RESPONSES if responses else ())
    named = responses and any(each.name and each.role != "tool" for each in request.messages)
    return tuple(field for field in silent if getattr(request, field) not in (None, ())) + (("messages.name",) if named else ())


def _sampling(request: ChatRequest, spec: ChatSpec) -> Json:
    return {} if spec.reasoning else {field: getattr(request, field) for field in _SAMPLING}


def _said(wanted: Json) -> Json:
    return {name: value for name, value in wanted.items() if value is not None}


def _tools(request: ChatRequest, *, nested: bool) -> Json:
    """`nested`: as Chat Completions writes a function, an object within one that says its type."""
    if not request.tools:
        return {}
    choice = request.tool_choice
    if isinstance(choice, NamedTool):
        named: Any = {"type": "function", "function": {"name": choice.name}} if nested else _named(choice.name)
    else:
        named = choice
    return {
        "tools": [_tool(each, nested=nested) for each in request.tools],
        "tool_choice": named,
        # Said only where it matters: some models refuse the word.
        "parallel_tool_calls": None if request.parallel_tool_calls else False,
    }


def _named(name: str) -> Json:
    return {"type": "function", "name": name}


def _tool(tool: Tool, *, nested: bool) -> Json:
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    words = {"name": tool.name, "description": tool.description or None, "parameters": parameters}
    if not nested:
        # Responses takes a missing word for true.
        return _said({"type": "function"} | words | {"strict": tool.strict})
    return {"type": "function", "function": _said(words | {"strict": tool.strict or None})}


def _chat_format(wanted: JsonSchema) -> Json:
    if not wanted.schema:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": _schema(wanted)}


def _responses_format(wanted: JsonSchema) -> Json:
    return {"type": "json_object"} if not wanted.schema else {"type": "json_schema"} | _schema(wanted)


def _schema(wanted: JsonSchema) -> Json:
    described = {"description": wanted.description} if wanted.description else {}
    return {"name": wanted.name, "schema": dict(wanted.schema), "strict": wanted.strict} | described


def _chat_message(message: Message) -> Json:
    parts = message.content if isinstance(message.content, str) else [_chat_part(each) for each in message.content]
    body: Json = {"role": message.role, "content": parts}
    if message.role == "tool":
        return body | {"tool_call_id": message.tool_call_id}
    if message.tool_calls:
        functions = [{"id": each.id, "function": {"name": each.name, "arguments": each.arguments}} for each in message.tool_calls]
        body |= {"content": parts or None, "tool_calls": [{"type": "function"} | each for each in functions]}
    return body | ({"name": message.name} if message.name else {})


def _chat_part(part: Part) -> Json:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Image():
            return {"type": "image_url", "image_url": {"url": _address(part), "detail": part.detail}}
        case File():
            return {"type": "file", "file": {"filename": part.name, "file_data": _data_url(part.media_type, part.data)}}


def _items(message: Message) -> Iterator[Json]:
    """The input items of one message: its words, then each call that it makes."""
    if message.role == "tool":
        output = message.content if isinstance(message.content, str) else [_input_part(each) for each in message.content]
        yield {"type": "function_call_output", "call_id": message.tool_call_id, "output": output}
        return
    if isinstance(message.content, str) or message.role == "assistant":
        content: Any = message.text
    else:
        content = [_input_part(each) for each in message.content]
    if content or not message.tool_calls:
        yield {"type": "message", "role": message.role, "content": content}
    for call in message.tool_calls:
        yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}


def _input_part(part: Part) -> Json:
    match part:
        case Text(text):
            return {"type": "input_text", "text": text}
        case Image():
            return {"type": "input_image", "image_url": _address(part), "detail": part.detail}
        case File():
            return {"type": "input_file", "filename": part.name, "file_data": _data_url(part.media_type, part.data)}


def _address(image: Image) -> str:
    return image.url or _data_url(image.media_type or "image/png", image.data)


def _data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
