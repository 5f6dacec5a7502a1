"""A chat request in the words of Anthropic's Messages API, and the names of what it has no words for.

Models that think (`reasoning` in the catalogue) refuse temperature, top_p and forced calls of tools; the others take one of
temperature and top_p, and no effort. Nothing here turns thinking on or off: every model has its own way, and refuses others.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from atrium.kernel.errors import InvalidInput
from atrium.providers.anthropic_messages import system_of, turns_of
from atrium.providers.anthropic_schema import enforceable
from atrium.providers.base import ChatRequest, Image, NamedTool, Tool
from atrium.providers.catalogue import Capability, ChatSpec

# OpenAI's word to Anthropic's; the first two have none there, and the least is the nearest.
_EFFORTS: Final = {
    "none": "low",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}
_NO_EFFORT: Final = frozenset({"none", "minimal"})
_HOTTEST: Final = 1.0  # OpenAI's is 2
_ANY_JSON: Final = "Answer with one JSON object and nothing else: no text before or after it, and no code fence."
_ANY_TOOL: Final = "Answer this turn by calling at least one of the tools, without other text."


def body_of(request: ChatRequest, spec: ChatSpec) -> dict[str, Any]:
    """The body of POST /v1/messages, without `stream`. `InvalidInput` for what no message there can hold."""
    system = [*system_of(request.messages), *({"type": "text", "text": words} for words in _instructions(request, spec))]
    stop = [each for each in request.stop if each.strip()]
    output = _output_config(request, spec)
    return {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": turns_of(request.messages),
        **({"system": system} if system else {}),
        **({"stop_sequences": stop} if stop else {}),
        **({"output_config": output} if output else {}),
        **_sampling(request, spec),
        **_tools(request, spec),
    }


def unsaid(request: ChatRequest, spec: ChatSpec) -> tuple[str, ...]:
    """The request's fields, in OpenAI's names, that the body does not say, or does not say exactly."""
    sampled = _sampling(request, spec)
    effort = request.reasoning_effort
    told = {
        "seed": request.seed is None,
        "temperature": request.temperature in {None, sampled.get("temperature", 1.0)},
        "top_p": request.top_p in {None, sampled.get("top_p", 1.0)},
        "stop": all(each.strip() for each in request.stop),
        "reasoning_effort": effort is None or (spec.reasoning and effort in _EFFORTS and effort not in _NO_EFFORT),
        "tool_choice": not (spec.reasoning and request.tools and _forced(request)),
        "tools.function.strict": all(
            not tool.strict or not tool.parameters or _strict_schema(tool, spec) for tool in request.tools
        ),
        "response_format": request.response_format is None or _format(request, spec) is not None,
        "messages.name": not any(each.name and each.role != "tool" for each in request.messages),
        "messages.image_url.detail": all(image.detail == "auto" for image in _images(request)),
    }
    return tuple(name for name, whole in told.items() if not whole)


def _sampling(request: ChatRequest, spec: ChatSpec) -> dict[str, float]:
    if spec.reasoning:
        return {}
    if request.temperature is not None:
        return {"temperature": min(max(request.temperature, 0.0), _HOTTEST)}
    return {} if request.top_p is None else {"top_p": request.top_p}


def _output_config(request: ChatRequest, spec: ChatSpec) -> dict[str, Any]:
    effort = _EFFORTS.get(request.reasoning_effort or "") if spec.reasoning else None
    schema = _format(request, spec)
    return ({"effort": effort} if effort else {}) | ({"format": {"type": "json_schema", "schema": schema}} if schema else {})


def _format(request: ChatRequest, spec: ChatSpec) -> dict[str, Any] | None:
    """What constrained decoding enforces; None: nothing is asked, or in words only."""
    asked = request.response_format
    if asked is None or Capability.JSON_SCHEMA not in spec.capabilities:
        return None
    named = {"title": asked.name} | ({"description": asked.description} if asked.description else {})
    return enforceable({**named, **asked.schema})


def _instructions(request: ChatRequest, spec: ChatSpec) -> Iterator[str]:
    """What the model is asked for where the API cannot make it."""
    asked = request.response_format
    if asked and _format(request, spec) is None:
        yield _ANY_JSON + (f" It must fit this JSON schema: {json.dumps(asked.schema)}" if asked.schema else "")
    if spec.reasoning and request.tools and _forced(request):
        choice = request.tool_choice
        yield f"Answer this turn by calling the tool {choice.name}." if isinstance(choice, NamedTool) else _ANY_TOOL


def _forced(request: ChatRequest) -> bool:
    return request.tool_choice not in {"auto", "none"}


def _tools(request: ChatRequest, spec: ChatSpec) -> dict[str, Any]:
    if not request.tools:
        return _remembered(request)
    choice = request.tool_choice
    offered = request.tools
    if isinstance(choice, NamedTool):
        named = tuple(tool for tool in offered if tool.name == choice.name)
        if not named:
            raise InvalidInput(f"tool_choice names {choice.name[:100]!r}, which is not among the tools")
        # What cannot be forced can be the only one there is.
        offered = named if spec.reasoning else offered
    return {"tools": [_tool(tool, spec) for tool in offered], "tool_choice": _choice(request, spec)}


def _choice(request: ChatRequest, spec: ChatSpec) -> dict[str, Any]:
    choice = request.tool_choice
    if choice == "none":
        return {"type": "none"}
    alone = {} if request.parallel_tool_calls else {"disable_parallel_tool_use": True}
    if spec.reasoning or choice == "auto":
        return {"type": "auto", **alone}
    return ({"type": "tool", "name": choice.name} if isinstance(choice, NamedTool) else {"type": "any"}) | alone


def _remembered(request: ChatRequest) -> dict[str, Any]:
    """A conversation that called tools needs them declared, also where none may be called any more."""
    names = dict.fromkeys(call.name for message in request.messages for call in message.tool_calls)
    if not names:
        return {}
    return {"tools": [{"name": name, "input_schema": {"type": "object"}} for name in names], "tool_choice": {"type": "none"}}


def _tool(tool: Tool, spec: ChatSpec) -> dict[str, Any]:
    described = {"name": tool.name} | ({"description": tool.description} if tool.description else {})
    if schema := _strict_schema(tool, spec):
        return described | {"input_schema": schema, "strict": True}
    return described | {"input_schema": {"type": "object", **tool.parameters}}


def _strict_schema(tool: Tool, spec: ChatSpec) -> dict[str, Any] | None:
    return enforceable(tool.parameters) if tool.strict and Capability.JSON_SCHEMA in spec.capabilities else None


def _images(request: ChatRequest) -> Iterator[Image]:
    for message in request.messages:
        if not isinstance(message.content, str):
            yield from (part for part in message.content if isinstance(part, Image))
