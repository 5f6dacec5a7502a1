"""What the emulator is made to do better: names of failures, and no web page inside."""

from typing import Any

import pytest

from infra.local.emulator_main import admits, exception_name, guarded, named

SIGNED = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0f"


def request(path: str = "/", query: str = "", method: str = "POST", **headers: str) -> dict[str, Any]:
    given = {"host": "127.0.0.1:4566", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }


@pytest.mark.parametrize(
    "host", ["127.0.0.1:4566", "localhost:4566", "bucket.s3.localhost:4566", "[::1]:4566", "bucket.127.0.0.1:4566"]
)
def test_programs_on_this_machine_pass(host: str) -> None:
    assert admits(request(host=host))


@pytest.mark.parametrize("host", ["evil.example", "evil.example:4566", "localhost.evil.example", "127.0.0.1.evil.example", ""])
def test_a_name_that_somebody_else_resolves_does_not(host: str) -> None:
    assert not admits(request(host=host))


@pytest.mark.parametrize(
    "asked",
    [
        request(origin="https://evil.example"),
        request(origin="null"),
        request("/2015-03-31/functions", origin="https://evil.example", content_type="text/plain"),
        request(query="Action=DeleteQueue", method="GET", sec_fetch_site="cross-site"),
        request("/bucket", SIGNED + "&list-type=2", "GET", origin="https://evil.example"),
        request("/bucket/key", SIGNED, "PUT", origin="https://evil.example"),
        request("/bucket/key", "", "GET", origin="https://evil.example"),
    ],
)
def test_a_page_does_not(asked: dict[str, Any]) -> None:
    assert not admits(asked)


def test_a_page_may_call_the_api_and_download_by_a_signed_url() -> None:
    assert admits(request("/_aws/execute-api/atrium/live/api/v1/auth/me", origin="http://localhost:3000"))
    assert admits(request("/bucket/uploads/key", SIGNED, "GET", origin="http://localhost:3000"))


async def test_a_refused_request_never_reaches_the_emulator() -> None:
    reached, sent = list[str](), list[dict[str, Any]]()

    async def emulator(scope: dict[str, Any], receive: object, send: object) -> None:
        reached.append(scope["path"])

    async def receive() -> None:
        return None

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    app = guarded(emulator)
    await app(request("/a"), receive, send)
    await app(request("/b", origin="https://evil.example"), receive, send)
    assert reached == ["/a"]
    assert sent[0]["status"] == 403


LOG = 'Traceback (most recent call last):\n  File "x.py", line 1\natrium.kernel.errors.IngestionFailed: {"type": "corrupt"}\n'


def test_a_failure_keeps_its_exceptions_name() -> None:
    failed = {"error": True, "log": LOG, "body": {"errorType": "Runtime.HandlerError", "errorMessage": '{"type": "corrupt"}'}}
    assert named(failed)["body"]["errorType"] == "IngestionFailed"
    assert exception_name("something else", LOG) == "Runtime.HandlerError"
    assert named({"body": {"fine": 1}}) == {"body": {"fine": 1}}
