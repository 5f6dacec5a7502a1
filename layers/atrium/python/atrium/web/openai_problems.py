"""Errors as OpenAI writes them, `{"error": {message, type, param, code}}`: all that unmodified OpenAI clients understand.

`x-should-retry: false` tells OpenAI's SDKs not to repeat what a repetition cannot help; by themselves they repeat 408, 409, 429
and 5xx.
"""

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from atrium.kernel import errors
from atrium.kernel.errors import AtriumError, FieldError
from atrium.web.problems import allowed_methods, headers_of, pointer, status_of

SCHEMA_NAME: Final = "OpenAIError"
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "title": SCHEMA_NAME,
    "description": "What went wrong, in OpenAI's shape. The request's id is in `x-request-id`.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
                "attempts": {
                    "type": "array",
                    "description": "Of a provider's failure: what was tried.",
                    "items": {"type": "object"},
                },
            },
        }
    },
}

_INVALID: Final = "invalid_request_error"
_SERVER: Final = "server_error"
# Type and code; the most derived class wins. None: the error's own code in OpenAI's spelling.
_WORDS: Final[dict[type[AtriumError], tuple[str, str | None]]] = {
    AtriumError: (_SERVER, "internal_error"),
    errors.InvalidInput: (_INVALID, None),
    errors.UnknownModel: (_INVALID, "model_not_found"),
    errors.ContextTooLong: (_INVALID, "context_length_exceeded"),
    errors.Unauthenticated: (_INVALID, "invalid_api_key"),
    errors.Forbidden: (_INVALID, "insufficient_permissions"),
    errors.NotFound: (_INVALID, None),
    errors.Conflict: (_INVALID, None),
    errors.RateLimited: ("requests", "rate_limit_exceeded"),
    errors.BudgetExceeded: ("insufficient_quota", "insufficient_quota"),
    errors.ProviderError: (_SERVER, None),
    errors.Unavailable: (_SERVER, None),
}
_STATUS: Final[dict[type[AtriumError], HTTPStatus]] = {
    errors.UnknownModel: HTTPStatus.NOT_FOUND,
    errors.InvalidFields: HTTPStatus.BAD_REQUEST,
    errors.BudgetExceeded: HTTPStatus.TOO_MANY_REQUESTS,
}
_PARAMS: Final[dict[type[AtriumError], str]] = {errors.UnknownModel: "model", errors.ContextTooLong: "messages"}
_FINAL: Final = (errors.BudgetExceeded, errors.IdempotencyMismatch, errors.ProviderNotConfigured, errors.ProviderRefused)
_FRAMEWORK: Final[dict[int, str]] = {404: "unknown_url", 405: "method_not_allowed"}
_INDEX: Final = re.compile(r"/(\d+)(?=/|$)")
_REFUSALS: Final = range(400, 500)
_LOG: Final = logging.getLogger("atrium.web")


def install(app: FastAPI) -> None:
    """Everything that goes wrong in the application is told so, instead of as problem+json."""
    # Starlette types every handler for any Exception, and calls it for its own alone.
    app.add_exception_handler(AtriumError, _on_atrium_error)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _on_validation_error)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _on_http_exception)  # type: ignore[arg-type]
    app.state.error_schemas = {SCHEMA_NAME: SCHEMA}
    app.state.internal_problem = lambda request_id: failure(AtriumError(f"The failure was logged under {request_id}."))


def failure(error: AtriumError) -> Response:
    """The reply to an expected failure."""
    headers = headers_of(error)
    if isinstance(error, _FINAL):
        headers = {name: value for name, value in headers.items() if name != "Retry-After"} | {"x-should-retry": "false"}
    elif isinstance(error, errors.ProviderUnavailable) and error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    return JSONResponse(document(error), status_code=_status(error), headers=headers)


def document(error: AtriumError) -> dict[str, Any]:
    """The error's JSON; in a stream that has begun it is the `data` of the last frame."""
    kind, code = _of(_WORDS, error) or (_SERVER, None)
    told = _shape(_message(error), kind, _param(error), code or error.code.replace("-", "_"))
    if isinstance(error, errors.ProviderRefused):
        told["error"] |= {name: value for name, value in error.error.items() if name in told["error"] and _tellable(value)}
    if isinstance(error, errors.ProviderError) and error.attempts:
        told["error"]["attempts"] = [dict(attempt) for attempt in error.attempts]
    return told


def invalid(param: str, detail: str) -> errors.InvalidFields:
    """A wrong field of a body, named as OpenAI names it: `messages[0].content`."""
    return errors.InvalidFields((FieldError(param, detail),))


def openapi_response(status: int) -> dict[str, Any]:
    """One error response in OpenAPI's words."""
    schema = {"$ref": f"#/components/schemas/{SCHEMA_NAME}"}
    return {"description": HTTPStatus(status).phrase, "content": {"application/json": {"schema": schema}}}


def _shape(message: str, kind: str, param: str | None, code: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _tellable(value: object) -> bool:
    return value is None or isinstance(value, str)


def _status(error: AtriumError) -> int:
    if isinstance(error, errors.ProviderRefused) and error.status in _REFUSALS:
        return error.status
    return _of(_STATUS, error) or status_of(error)


def _message(error: AtriumError) -> str:
    if isinstance(error, errors.InvalidFields):
        return "; ".join(f"'{_dotted(field.pointer)}' {field.detail}" for field in error.errors)
    return error.detail


def _param(error: AtriumError) -> str | None:
    if isinstance(error, errors.InvalidFields):
        return _dotted(error.errors[0].pointer) if error.errors else None
    return _of(_PARAMS, error)


def _dotted(place: str) -> str:
    """`/messages/0/content` is `messages[0].content`."""
    return _INDEX.sub(r"[\1]", place).lstrip("/").replace("/", ".")


def _of[T](table: Mapping[type[AtriumError], T], error: AtriumError) -> T | None:
    return next((table[cls] for cls in type(error).__mro__ if cls in table), None)


async def _on_atrium_error(_: Request, error: AtriumError) -> Response:
    if _status(error) >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _LOG.warning("%s: %s", error.code, error.detail, exc_info=error)
    return failure(error)


async def _on_validation_error(_: Request, error: RequestValidationError) -> Response:
    found = tuple(FieldError(pointer(entry["loc"], error.body), str(entry["msg"])) for entry in error.errors())
    return failure(errors.InvalidFields(found))


async def _on_http_exception(request: Request, error: HTTPException) -> Response:
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(allowed_methods(request))
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    kind = _INVALID if error.status_code in _REFUSALS else _SERVER
    message = f"{HTTPStatus(error.status_code).phrase}: {request.method} {request.url.path}"
    code = _FRAMEWORK.get(error.status_code, "http_error")
    return JSONResponse(_shape(message, kind, None, code), status_code=error.status_code, headers=headers)
