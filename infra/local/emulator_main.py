"""Starts ministack with three corrections. Run as a file by the emulator's own interpreter, so it imports nothing of Atrium.

A failed Python function keeps its exception's name, as on Lambda: the emulator reports every failure as
`Runtime.HandlerError`, but the pipeline's Retry and the reason that a document's owner sees go by the name.

Web pages are kept out: the emulator answers every origin, checks no credentials and runs code, so any page that its user
visits could do what it likes with it.

A presigned download of one version of an object gets the headers that its URL asks for; the emulator heeds them only where
no version is named.
"""

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

_UNNAMED = "Runtime.HandlerError"

Scope = dict[str, Any]
Reply = tuple[int, dict[str, str], Any]
App = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[dict[str, Any]], Awaitable[None]]], Awaitable[None]]

# Nobody can make these names resolve to a server of theirs, as a page that rebinds its own name would.
_OWN_HOST = re.compile(rb"(?:[a-z0-9.-]+\.)?(?:localhost|127\.0\.0\.1)(?::\d+)?|\[::1\](?::\d+)?", re.IGNORECASE)
# The API asks for credentials of its own.
_API = "/_aws/execute-api/"
_FORBIDDEN = b'{"message": "The local AWS emulator answers programs, not web pages."}'


def exception_name(message: str, log: str) -> str:
    """The class of the exception that ended `log` with `message`, from the traceback's last lines; `_UNNAMED` without one."""
    ending = rf": {re.escape(message)}" if message else ""
    found = re.search(rf"^(?:\w+\.)*(\w+){ending}\s*\Z", log, re.MULTILINE)
    return found[1] if found else _UNNAMED


def named(outcome: dict[str, Any]) -> dict[str, Any]:
    """An invocation's outcome, its error under the exception's own name."""
    body = outcome.get("body")
    if outcome.get("error") and isinstance(body, dict) and body.get("errorType") == _UNNAMED:
        name = exception_name(str(body.get("errorMessage", "")), str(outcome.get("log", "")))
        return outcome | {"body": body | {"errorType": name}}
    return outcome


def admits(scope: Scope) -> bool:
    """Whether a request may pass: sent to this machine by name, and by a program, or a page that downloads by a signed URL."""
    headers = dict(scope["headers"])
    if not _OWN_HOST.fullmatch(headers.get(b"host", b"")):
        return False
    of_a_page = b"origin" in headers or headers.get(b"sec-fetch-site", b"none") not in {b"none", b"same-origin"}
    return not of_a_page or scope["path"].startswith(_API) or _downloads(scope)


def _downloads(scope: Scope) -> bool:
    """GET of one object by a presigned URL; listing a bucket is none."""
    signed = b"X-Amz-Signature=" in scope["query_string"] and b"list-type" not in scope["query_string"]
    return scope.get("method") == "GET" and signed and re.fullmatch(r"/[^/]+/.+", scope["path"]) is not None


def guarded(app: App) -> App:
    """The emulator's app behind `admits`."""

    async def serve(
        scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        if scope["type"] == "lifespan" or admits(scope):
            await app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"application/json")]})
            await send({"type": "http.response.body", "body": _FORBIDDEN})

    return serve


def main() -> None:
    """Correct the emulator and run it."""
    # Only in the emulator's own environment.
    from ministack import app as emulator  # type: ignore[import-not-found]
    from ministack.services import lambda_svc, s3  # type: ignore[import-not-found]

    execute = lambda_svc._execute_function_warm  # noqa: SLF001  the one place that every invocation passes

    def execute_named(func: dict[str, Any], event: object, request_id: str) -> dict[str, Any]:
        return named(execute(func, event, request_id))

    lambda_svc._execute_function_warm = execute_named  # noqa: SLF001  as above
    get_object = s3._get_object  # noqa: SLF001  every GET of an object passes it

    def get_as_asked(bucket: str, key: str, headers: dict[str, str], query: dict[str, Any] | None = None) -> Reply:
        status, reply, body = get_object(bucket, key, headers, query)
        if status == HTTPStatus.OK:
            s3._apply_response_overrides(reply, query or {})  # noqa: SLF001  its own way to heed them
        return status, reply, body

    s3._get_object = get_as_asked  # noqa: SLF001  as above
    emulator.app = guarded(emulator.app)
    emulator.main()


if __name__ == "__main__":
    main()
