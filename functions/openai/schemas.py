"""What OpenAPI says of the raw routes: the part that is looked at here. OpenAI's own specification has the rest."""

from typing import Any, Final

from atrium.web.openai_problems import openapi_response

_OBJECT: Final[dict[str, Any]] = {"type": "object"}
_COUNT: Final[dict[str, Any]] = {"type": ["integer", "null"], "minimum": 1}
_USAGE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["prompt_tokens", "total_tokens"],
    "properties": {"prompt_tokens": {"type": "integer"}, "total_tokens": {"type": "integer"}},
}


def _operation(body: dict[str, Any], answer: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401  OpenAPI's own
    content: dict[str, Any] = {"application/json": {"schema": answer}, **more}
    return {
        "openapi_extra": {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}},
        "responses": {200: {"description": "As OpenAI answers.", "content": content}}
        | {status: openapi_response(status) for status in (404, 502)},
    }


CHAT: Final = _operation(
    {
        "type": "object",
        "title": "ChatCompletionRequest",
        "required": ["model", "messages"],
        "properties": {
            "model": {"type": "string", "minLength": 1, "description": "An id of GET /v1/models, or a provider's own name."},
            "messages": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["role", "content"],
                    "properties": {
                        "role": {"type": "string"},
                        "content": {"type": ["string", "array", "null"], "items": _OBJECT},
                    },
                },
            },
            "stream": {"type": ["boolean", "null"]},
            "stream_options": {"type": ["object", "null"]},
            "max_tokens": _COUNT,
            "max_completion_tokens": _COUNT,
            "n": {**_COUNT, "maximum": 128},
            "tools": {"type": ["array", "null"], "items": _OBJECT},
        },
        "additionalProperties": True,
    },
    {
        "type": "object",
        "required": ["id", "object", "created", "model", "choices"],
        "properties": {
            "id": {"type": "string"},
            "object": {"type": "string", "enum": ["chat.completion"]},
            "created": {"type": "integer"},
            "model": {"type": "string"},
            "choices": {"type": "array", "items": _OBJECT},
            "usage": _USAGE,
        },
    },
    **{"text/event-stream": {"schema": {"type": "string", "description": "Frames of chat.completion.chunk, then [DONE]."}}},
)

_TOKENS: Final[dict[str, Any]] = {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0}}
_TEXT: Final[dict[str, Any]] = {"type": "string", "minLength": 1}
_TEXTS: Final[dict[str, Any]] = {"type": "array", "minItems": 1, "maxItems": 2048, "items": _TEXT}

EMBEDDINGS: Final = _operation(
    {
        "type": "object",
        "title": "EmbeddingRequest",
        "required": ["model", "input"],
        "properties": {
            "model": {"type": "string", "minLength": 1},
            "input": {"anyOf": [_TEXT, _TEXTS, _TOKENS, {**_TEXTS, "items": _TOKENS}]},
            "encoding_format": {"enum": ["float", "base64", None]},
            "dimensions": _COUNT,
        },
        "additionalProperties": True,
    },
    {
        "type": "object",
        "required": ["object", "data", "model", "usage"],
        "properties": {
            "object": {"type": "string", "enum": ["list"]},
            "data": {"type": "array", "items": _OBJECT},
            "model": {"type": "string"},
            "usage": _USAGE,
        },
    },
)
