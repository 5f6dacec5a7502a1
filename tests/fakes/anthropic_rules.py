"""What the Messages API refuses, as its documentation and its errors say: a translation's mistake becomes a 400."""

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any, Final

_FIELDS: Final = frozenset(
    {
        *("model", "max_tokens", "messages", "system", "stop_sequences", "stream", "temperature", "top_p", "top_k"),
        *("tools", "tool_choice", "metadata", "output_config", "thinking", "service_tier", "cache_control"),
    }
)
# A block's fields, and those of them that must be there.
_BLOCKS: Final[dict[str, tuple[set[str], set[str]]]] = {
    "text": ({"text"}, {"text"}),
    "image": ({"source"}, {"source"}),
    "document": ({"source", "title", "context"}, {"source"}),
    "tool_use": ({"id", "name", "input"}, {"id", "name", "input"}),
    "tool_result": ({"tool_use_id", "content", "is_error"}, {"tool_use_id"}),
}
_IN_ROLE: Final = {"user": {"text", "image", "document", "tool_result"}, "assistant": {"text", "tool_use"}}
_IN_RESULT: Final = {"text", "image", "document"}
_MEDIA: Final = {"image": {"image/jpeg", "image/png", "image/gif", "image/webp"}, "document": {"application/pdf"}}
_SIGNATURES: Final = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
_ID: Final = re.compile(r"[a-zA-Z0-9_-]+")
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_SCHEMA_WORDS: Final = frozenset(
    {
        *("type", "properties", "required", "additionalProperties", "items", "minItems", "enum", "const", "anyOf"),
        *("$ref", "$defs", "format", "title", "description"),
    }
)
_EFFORTS: Final = {"low", "medium", "high", "xhigh", "max"}
# Models that think; those of them whose thinking cannot be left out refuse forced tools.
_THINKS: Final = re.compile(r"claude-(opus-4-[78]|[a-z]+-5)")
_UNFORCED: Final = re.compile(r"claude-(opus-5-5|sonnet-5-5|fable-5-[12]|mythos-5-[12])")
_PREFILLS: Final = re.compile(r"claude-(3|[a-z]+-4-[0-5])")


class Refused(Exception):
    """400 invalid_request_error."""


def thinks(model: str) -> bool:
    """Whether a model of that name thinks before it answers."""
    return _THINKS.match(model) is not None


def check(body: Any) -> None:
    """`Refused` says what is wrong with a body of POST /v1/messages."""
    _only(body, _FIELDS, "body")
    for field in ("model", "max_tokens", "messages"):
        _must(field in body, f"{field}: Field required")
    _must(isinstance(body["max_tokens"], int) and body["max_tokens"] >= 1, "max_tokens: must be at least 1")
    _sampling(body)
    for each in body.get("stop_sequences", []):
        _must(each.strip() != "", "stop_sequences: each stop sequence must contain non-whitespace")
    system = body.get("system", [])
    for block in [{"type": "text", "text": system}] if isinstance(system, str) else system:
        _block(block, {"text"}, "system")
    _tools(body)
    _output(body)
    _turns(body)


def _sampling(body: dict[str, Any]) -> None:
    temperature, top_p = body.get("temperature"), body.get("top_p")
    _must(temperature is None or 0 <= temperature <= 1, "temperature: range: 0..1")
    _must(temperature is None or top_p is None, "`temperature` and `top_p` cannot both be specified for this model")
    if thinks(body["model"]):
        _must(temperature in {None, 1}, "`temperature` is not supported for this model")
        _must(top_p in {None, 1}, "`top_p` is not supported for this model")


def _tools(body: dict[str, Any]) -> None:
    tools, choice = body.get("tools", []), body.get("tool_choice")
    for tool in tools:
        _only(tool, {"name", "description", "input_schema", "strict"}, "tools")
        _must(_NAME.fullmatch(tool["name"]) is not None, f"tools.name: {tool['name']!r} does not match")
        schema = tool["input_schema"]
        _must(schema.get("type") == "object", "tools.input_schema.type: Field required")
        _must(not schema.keys() & {"anyOf", "oneOf", "allOf"}, "input_schema does not support anyOf at the top level")
        if tool.get("strict"):
            _schema(schema)
    names = [tool["name"] for tool in tools]
    _must(len(set(names)) == len(names), "tools: Tool names must be unique")
    if choice is None:
        return
    _must(bool(tools), "tool_choice may only be specified while providing tools")
    more = {"auto": set(), "any": set(), "none": set(), "tool": {"name"}}[choice["type"]]
    _only(choice, {"type", *more, *({"disable_parallel_tool_use"} if choice["type"] != "none" else ())}, "tool_choice")
    _must(choice.get("name", names[0]) in names, f"Tool {choice.get('name')!r} not found in provided tools")
    forced = choice["type"] in {"any", "tool"}
    _must(not (forced and _UNFORCED.match(body["model"])), "tool_choice forces tool use, which this model does not support")


def _output(body: dict[str, Any]) -> None:
    output = body.get("output_config", {})
    _only(output, {"effort", "format"}, "output_config")
    if "effort" in output:
        _must(output["effort"] in _EFFORTS, "output_config.effort: unknown level")
        _must(thinks(body["model"]), "This model does not support the effort parameter")
    if "format" in output:
        _only(output["format"], {"type", "schema"}, "output_config.format")
        _must(output["format"]["type"] == "json_schema", "output_config.format.type: unknown")
        _schema(output["format"]["schema"])


def _schema(schema: Any) -> None:
    _only(schema, _SCHEMA_WORDS, "schema")
    kind = schema.get("type")
    _must(kind is None or isinstance(kind, str), "schema: `type` must be one type")
    _must(kind or schema.keys() & {"anyOf", "enum", "const", "$ref"}, "schema: without a type")
    _must(not schema.get("$ref") or len(schema) == 1, "schema: `$ref` with siblings")
    if kind == "object":
        _must(schema.get("additionalProperties") is False, "schema: For 'object' type, 'additionalProperties' must be false")
    _must(schema.get("minItems", 0) in {0, 1}, "schema: `minItems` over 1")
    for key in ("properties", "$defs"):
        for each in schema.get(key, {}).values():
            _schema(each)
    for each in [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]:
        _schema(each)


def _turns(body: dict[str, Any]) -> None:
    turns = _combined(body["messages"])
    _must(bool(turns), "messages: at least one message is required")
    _must(turns[0][0] == "user", 'messages: first message must use the "user" role')
    prefilled = turns[-1][0] == "assistant"
    _must(not prefilled or _PREFILLS.match(body["model"]), "This model does not support assistant message prefill")
    seen: set[str] = set()
    waiting: list[str] = []
    for role, blocks in turns:
        if role == "assistant":
            waiting = [block["id"] for block in blocks if block["type"] == "tool_use"]
            _must(not seen & set(waiting) and len(set(waiting)) == len(waiting), "messages: `tool_use` ids must be unique")
            seen |= set(waiting)
        else:
            _answered(blocks, waiting)
            waiting = []
    _must(not waiting, "messages: `tool_use` ids were found without `tool_result` blocks immediately after")
    _must(not seen or bool(body.get("tools")), "Requests which include `tool_use` or `tool_result` blocks must define tools")


def _combined(messages: Iterable[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    turns: list[tuple[str, list[dict[str, Any]]]] = []
    for message in messages:
        _only(message, {"role", "content"}, "messages")
        role, content = message["role"], message["content"]
        _must(role in _IN_ROLE, f"messages: Unexpected role {role!r}")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        _must(bool(blocks), "messages: all messages must have non-empty content")
        for block in blocks:
            _block(block, _IN_ROLE[role], f"messages of the {role}")
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        else:
            turns.append((role, list(blocks)))
    return turns


def _answered(blocks: list[dict[str, Any]], waiting: list[str]) -> None:
    results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    _must(set(results) <= set(waiting), "messages: unexpected `tool_use_id` found in `tool_result` blocks")
    _must(len(set(results)) == len(results), "messages: each tool_use must have a single result")
    _must(set(results) == set(waiting), "messages: `tool_use` ids were found without `tool_result` blocks immediately after")
    first = [block["type"] for block in blocks[: len(results)]]
    _must(set(first) <= {"tool_result"}, "messages: `tool_result` blocks must come first")


def _block(block: Any, allowed: set[str], where: str) -> None:
    kind = block.get("type")
    _must(kind in allowed, f"{where}: Input tag {kind!r} is not expected here")
    may, must = _BLOCKS[kind]
    _only(block, {"type", *may}, f"{where}.{kind}")
    _must(must <= block.keys(), f"{where}.{kind}: Field required")
    match kind:
        case "text":
            _must(block["text"].strip() != "", "messages: text content blocks must contain non-whitespace text")
        case "tool_use":
            _must(_ID.fullmatch(block["id"]) is not None, "tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
            _must(isinstance(block["input"], dict), "tool_use.input: Input should be a valid dictionary")
        case "tool_result":
            for each in block.get("content", []):
                _block(each, _IN_RESULT, "tool_result")
        case _:
            _source(kind, block["source"])


def _source(kind: str, source: dict[str, Any]) -> None:
    if source.get("type") == "url":
        _only(source, {"type", "url"}, "source")
        _must(source["url"].startswith("https://"), "Only HTTPS URLs are supported")
        return
    _only(source, {"type", "media_type", "data"}, "source")
    _must(source["type"] == "base64" and source["media_type"] in _MEDIA[kind], f"{kind}.source.media_type: unknown")
    try:
        data = base64.b64decode(source["data"], validate=True)
    except binascii.Error as exc:
        raise Refused("source.data: Input should be valid base64") from exc
    for start, name in _SIGNATURES.items() if kind == "image" else ():
        _must(not data.startswith(start) or name == source["media_type"], f"The image appears to be {name}")


def _only(given: Any, known: Iterable[str], where: str) -> None:
    _must(isinstance(given, dict), f"{where}: Input should be an object")
    for field in given.keys() - set(known):
        raise Refused(f"{where}.{field}: Extra inputs are not permitted")


def _must(holds: object, message: str) -> None:
    if not holds:
        raise Refused(message)
