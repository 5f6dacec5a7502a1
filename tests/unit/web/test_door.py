"""What every area does with every request, on an area of our own without a database."""

import json
import logging
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Request, UploadFile
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import Field

from atrium.kernel.errors import Conflict, RateLimited, Unavailable
from atrium.kernel.settings import Settings
from atrium.ports.keyring import KeyringSource, new_keyring
from atrium.web.app import create_area
from atrium.web.bodies import FORM_OVERHEAD
from atrium.web.pagination import Page, Paged
from atrium.web.routing import area_router, body_limit
from atrium.web.schemas import PlainText, ResourceId, StrictModel
from tests.factories.auth import client
from tests.fakes.memory import MemorySecrets

router = area_router(prefix="/things")
ONE_FILE = '--b\r\nContent-Disposition: form-data; name="file"; filename="ä.txt"\r\n\r\nx\r\n--b--\r\n'.encode()


class Thing(StrictModel):
    name: Annotated[str, Field(max_length=10)]
    count: int = 0
    inner: "Thing | None" = None


@router.post("")
async def make(body: Thing) -> Thing:
    return body


@router.post("/long", dependencies=[body_limit("upload_limit")])
async def make_long(body: dict[str, str]) -> int:
    return len(body["text"])


@router.post("/file")
async def take_file(file: UploadFile) -> dict[str, Any]:
    return {"name": file.filename, "size": len(await file.read())}


@router.get("")
async def list_things(page: Paged, q: PlainText = "") -> Page[int]:
    start = page.after[0] if page.after else 0
    return page.page(list(range(start, min(start + page.rows, 5))), key=lambda n: (n + 1,), shape=lambda n: n)


@router.get("/{id}")
async def get_thing(id: ResourceId) -> str:  # noqa: A002
    return str(id)


@router.delete("/{id}", status_code=204)
async def delete_thing(id: ResourceId) -> None:  # noqa: A002
    return None


@router.post("/fail/{how}")
async def fail(how: str, request: Request) -> None:
    raise {
        "conflict": Conflict("it is taken"),
        "limited": RateLimited(2.2, 20),
        "down": Unavailable("The database is not available."),
        "bug": ZeroDivisionError("secret internals"),
    }[how]


def make_app(*, strict_query: bool = True, **changed: object) -> Any:
    settings = Settings().model_copy(update={"body_limit": 1000, "upload_limit": 5000, **changed})
    secrets = MemorySecrets({"atrium/keyring": new_keyring()})
    parts: Any = SimpleNamespace(settings=settings, keyring=KeyringSource(secrets, "atrium/keyring"))
    return create_area("things", router, runtime=parts, strict_query=strict_query)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with client(make_app()) as http:
        yield http


def problem_of(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    document: dict[str, Any] = answer.json()
    assert document["type"] == f"urn:atrium:problem:{code}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert document["instance"] == answer.headers["x-request-id"]
    return document


async def post(
    http: httpx.AsyncClient, raw: bytes, kind: str | None = "application/json", path: str = "/things"
) -> httpx.Response:
    return await http.post(f"/api/v1{path}", content=raw, headers={"content-type": kind} if kind else {})


class TestBodies:
    async def test_a_good_one_passes(self, http: httpx.AsyncClient) -> None:
        answer = await post(http, b'{"name": "a", "inner": {"name": "b"}}')
        assert answer.status_code == 200
        assert answer.json()["inner"]["name"] == "b"

    @pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/vnd.api+json", "APPLICATION/JSON"])
    async def test_json_has_several_names(self, http: httpx.AsyncClient, kind: str) -> None:
        assert (await post(http, b'{"name": "a"}', kind)).status_code == 200

    @pytest.mark.parametrize(
        "kind",
        [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json", "é/ü",
                 "application/json; charset=latin-1", "application/json; charset*=utf-16''x"]
    )  # fmt: skip
    async def test_another_type_is_415(self, http: httpx.AsyncClient, kind: str | None) -> None:
        raw = (kind or "").encode("latin-1")
        answer = await http.post(
            "/api/v1/things", content=b'{"name": "a"}', headers=[(b"content-type", raw)] if kind is not None else []
        )
        problem_of(answer, 415, "unsupported-media-type")

    async def test_unknown_fields_are_named_by_pointers(self, http: httpx.AsyncClient) -> None:
        answer = await post(http, b'{"name": "a", "x/y~z": 1, "inner": {"name": 5, "b": []}}')
        errors = problem_of(answer, 422, "invalid-fields")["errors"]
        assert {each["pointer"] for each in errors} == {"/x~1y~0z", "/inner/name", "/inner/b"}

    @pytest.mark.parametrize(
        "raw",
        [b"", b"[]", b"null", b'"name"', b"{}", b'{"name": 1}', b'{"name": null}', b'{"name": "a", "count": "1"}',
         b'{"name": "a", "count": 1.5}', b'{"name": "a", "count": true}'],
    )  # fmt: skip
    async def test_wrong_shapes_are_422(self, http: httpx.AsyncClient, raw: bytes) -> None:
        assert problem_of(await post(http, raw), 422, "invalid-fields")["errors"]

    @pytest.mark.parametrize("raw", [b"{", b'{"name": "a", "name": "b"}', b'{"name": NaN}', b'{"name": "\\ud800"}', b"\xff"])
    async def test_what_cannot_be_read_is_400(self, http: httpx.AsyncClient, raw: bytes) -> None:
        problem_of(await post(http, raw), 400, "malformed-request")

    async def test_a_declared_length_over_the_limit_is_413_before_it_is_read(self, http: httpx.AsyncClient) -> None:
        problem_of(await post(http, b'{"name": "' + b"a" * 1000), 413, "payload-too-large")

    async def test_a_length_that_nobody_declared_is_counted(self, http: httpx.AsyncClient) -> None:
        read = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal read
            while read < 100_000:
                read += 100
                yield b" " * 100

        answer = await http.post("/api/v1/things", content=endless(), headers={"content-type": "application/json"})
        problem_of(answer, 413, "payload-too-large")
        assert read <= 1200

    async def test_a_route_may_have_another_limit(self, http: httpx.AsyncClient) -> None:
        text = json.dumps({"text": "a" * 4000}).encode()
        assert (await post(http, text, path="/things/long")).json() == 4000
        problem_of(await post(http, text), 413, "payload-too-large")

    @pytest.mark.parametrize("length", ["x", "-1", "9" * 40, "１"])
    async def test_an_odd_content_length_is_no_crash(self, http: httpx.AsyncClient, length: str) -> None:
        headers = [(b"content-length", length.encode()), (b"content-type", b"application/json")]
        assert (await http.post("/api/v1/things", content=b'{"name": "a"}', headers=headers)).status_code in {200, 413}

    @hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
    @given(
        st.binary(max_size=300),
        st.sampled_from(["application/json", "multipart/form-data; boundary=b", "multipart/form-data", "x"]),
    )
    async def test_no_bytes_are_a_server_error(self, http: httpx.AsyncClient, raw: bytes, kind: str) -> None:
        for path in ("/things", "/things/file"):
            assert (await post(http, raw, kind, path)).status_code < 500


class TestForms:
    async def test_a_file_is_taken(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/api/v1/things/file", files={"file": ("a.txt", b"abc")})
        assert answer.json() == {"name": "a.txt", "size": 3}

    async def test_its_limit_is_the_uploads(self, http: httpx.AsyncClient) -> None:
        assert (await http.post("/api/v1/things/file", files={"file": ("a.txt", b"a" * 5000)})).status_code == 200
        answer = await http.post("/api/v1/things/file", files={"file": ("a.txt", b"a" * (5000 + FORM_OVERHEAD))})
        problem_of(answer, 413, "payload-too-large")

    async def test_json_is_no_form(self, http: httpx.AsyncClient) -> None:
        problem_of(await post(http, b"{}", path="/things/file"), 415, "unsupported-media-type")

    @pytest.mark.parametrize(
        "raw", [b"", b"--b", b"--b\r\n\r\n", b"--c\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n--c--"]
    )
    async def test_a_broken_form_is_refused(self, http: httpx.AsyncClient, raw: bytes) -> None:
        answer = await post(http, raw, "multipart/form-data; boundary=b", "/things/file")
        assert answer.status_code in {400, 422}
        assert answer.json()["status"] == answer.status_code

    async def test_no_boundary_is_refused(self, http: httpx.AsyncClient) -> None:
        problem_of(await post(http, b"x", "multipart/form-data", "/things/file"), 400, "malformed-request")

    @pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8", '"utf-8"'])
    async def test_its_charset_is_utf_8(self, http: httpx.AsyncClient, charset: str) -> None:
        answer = await post(http, ONE_FILE, f"multipart/form-data; boundary=b; charset={charset}", "/things/file")
        assert answer.json() == {"name": "ä.txt", "size": 1}

    @pytest.mark.parametrize("charset", ["undefined", "latin-1", "utf-16", "zlib", "x", "idna"])
    async def test_another_charset_is_415(self, http: httpx.AsyncClient, charset: str) -> None:
        answer = await post(http, ONE_FILE, f"multipart/form-data; boundary=b; charset={charset}", "/things/file")
        problem_of(answer, 415, "unsupported-media-type")

    async def test_a_second_charset_that_decodes_nothing_is_400(self, http: httpx.AsyncClient) -> None:
        kind = "multipart/form-data; boundary=b; charset=utf-8; charset=undefined"
        problem_of(await post(http, ONE_FILE, kind, "/things/file"), 400, "malformed-request")

    async def test_a_file_name_with_nul_is_refused(self, http: httpx.AsyncClient) -> None:
        raw = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a\x00.txt"\r\n\r\nx\r\n--b--\r\n'
        assert (await post(http, raw, "multipart/form-data; boundary=b", "/things/file")).status_code == 400


class TestLists:
    async def test_pages_follow_each_other_without_gap_or_repeat(self, http: httpx.AsyncClient) -> None:
        seen: list[int] = []
        cursor: str | None = None
        while True:
            page = (await http.get("/api/v1/things", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
            seen += page["data"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5", "", "٣", "1e1", "\x00"])
    async def test_a_limit_is_1_to_100(self, http: httpx.AsyncClient, limit: str) -> None:
        problem = problem_of(await http.get("/api/v1/things", params={"limit": limit}), 422, "invalid-fields")
        assert problem["errors"][0]["pointer"] == "/query/limit"

    @pytest.mark.parametrize("cursor", ["", "x", "é", "AAAA", "=" * 10, "\x00"])
    async def test_a_foreign_cursor_is_400(self, http: httpx.AsyncClient, cursor: str) -> None:
        problem_of(await http.get("/api/v1/things", params={"cursor": cursor}), 400, "malformed-request")

    async def test_nul_in_a_query_is_422(self, http: httpx.AsyncClient) -> None:
        problem = problem_of(await http.get("/api/v1/things?q=%00"), 422, "invalid-fields")
        assert problem["errors"][0]["pointer"] == "/query/q"

    async def test_bytes_that_are_no_text_in_a_query_are_no_crash(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/api/v1/things?q=%ff%ed%a0%80")).status_code == 200
        assert (await http.get("/api/v1/things?%ff=%fe")).status_code == 422

    @pytest.mark.parametrize(
        ("path", "named"), [("?limti=5", ["limti"]), ("?q=a&b=1&a", ["a", "b"]), ("?Limit=5", ["Limit"]), ("?a/b=1", ["a~1b"])]
    )
    async def test_an_unknown_parameter_is_named(self, http: httpx.AsyncClient, path: str, named: list[str]) -> None:
        answer = await http.get(f"/api/v1/things{path}")
        problem = problem_of(answer, 422, "invalid-fields")
        assert [error["pointer"] for error in problem["errors"]] == [f"/query/{name}" for name in named]

    async def test_where_an_area_takes_them_anything_may_be_added(self) -> None:
        async with client(make_app(strict_query=False)) as http:
            assert (await http.get("/api/v1/things?nocache=1")).status_code == 200


class TestPaths:
    async def test_an_alias_has_no_version(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/api/things")).json() == (await http.get("/api/v1/things")).json()

    async def test_an_unknown_path_is_404(self, http: httpx.AsyncClient) -> None:
        for path in ("/", "/api", "/api/v1", "/api/v2/things", "/api/v1/things/", "/things", "/api/v1/%00", "/api/v1/things/a/b"):
            problem_of(await http.get(path), 404, "not-found")

    @pytest.mark.parametrize("identifier", ["x", "1", "%00", "{{}}", "0" * 32, "urn:uuid:" + "0" * 8, "%ff"])
    async def test_an_id_that_is_none_is_422(self, http: httpx.AsyncClient, identifier: str) -> None:
        problem = problem_of(await http.get(f"/api/v1/things/{identifier}"), 422, "invalid-fields")
        assert problem["errors"] == [{"pointer": "/path/id", "detail": "must be a UUID"}]

    async def test_another_method_is_405_with_all_that_are_allowed(self, http: httpx.AsyncClient) -> None:
        answer = await http.patch("/api/v1/things")
        problem_of(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"
        answer = await http.put(f"/api/v1/things/{'0' * 8}-0000-0000-0000-{'0' * 12}")
        assert answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS"

    async def test_a_path_of_its_own_is_no_id_for_any_method(self, http: httpx.AsyncClient) -> None:
        for method in ("GET", "DELETE"):
            answer = await http.request(method, "/api/v1/things/file")
            problem_of(answer, 405, "method-not-allowed")
            assert answer.headers["allow"] == "OPTIONS, POST"

    async def test_options_tells_the_methods(self, http: httpx.AsyncClient) -> None:
        answer = await http.options("/api/v1/things")
        assert (answer.status_code, answer.headers["allow"], answer.content) == (204, "GET, HEAD, OPTIONS, POST", b"")

    async def test_head_is_get_without_the_body(self, http: httpx.AsyncClient) -> None:
        head, get = await http.head("/api/v1/things"), await http.get("/api/v1/things")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == get.headers["content-length"]


class TestFailures:
    async def test_an_expected_one_says_what_it_is(self, http: httpx.AsyncClient) -> None:
        problem = problem_of(await http.post("/api/v1/things/fail/conflict"), 409, "conflict")
        assert problem["detail"] == "it is taken"

    async def test_a_limit_says_when_to_come_back(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/api/v1/things/fail/limited")
        problem_of(answer, 429, "rate-limited")
        assert (answer.headers["retry-after"], answer.headers["ratelimit-limit"]) == ("3", "20")

    async def test_what_is_down_is_503(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/api/v1/things/fail/down")
        problem_of(answer, 503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0

    async def test_an_unexpected_one_shows_nothing_and_logs_everything(
        self, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        logging.getLogger("atrium").addHandler(caplog.handler)
        answer = await http.post("/api/v1/things/fail/bug")
        logging.getLogger("atrium").removeHandler(caplog.handler)
        problem_of(answer, 500, "internal")
        assert "internals" not in answer.text
        assert "ZeroDivisionError: secret internals" in caplog.text


async def test_a_client_that_leaves_while_sending_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError("nobody is there")

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/things",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    await make_app()(scope, receive, send)
    assert "unexpected" not in caplog.text


class TestHeaders:
    async def test_every_answer_is_dressed(self, http: httpx.AsyncClient) -> None:
        for path in ("/api/v1/things", "/nowhere", "/api/v1/things?limit=x"):
            headers = (await http.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert headers["cache-control"] == "no-store"
            assert "Origin" in headers["vary"]
            assert "Authorization" in headers["vary"]
            assert "strict-transport-security" not in headers

    async def test_on_aws_https_is_for_ever(self) -> None:
        async with client(make_app(target="aws")) as http:
            assert "max-age" in (await http.get("/api/v1/things")).headers["strict-transport-security"]

    async def test_a_good_request_id_is_echoed(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/x", headers={"x-request-id": "trace-12345678"})).headers["x-request-id"] == "trace-12345678"

    @pytest.mark.parametrize("identifier", [b"short", b"a" * 200, b"with space 123", b"\xff\xfe12345678", b"a\tb12345678"])
    async def test_another_one_is_replaced(self, http: httpx.AsyncClient, identifier: bytes) -> None:
        answer = await http.get("/x", headers=[(b"x-request-id", identifier)])
        assert answer.headers["x-request-id"].encode() != identifier
        assert len(answer.headers["x-request-id"]) == 36

    @pytest.mark.parametrize(
        "name", ["accept", "authorization", "x-api-key", "idempotency-key", "cookie", "x-forwarded-for", "host"]
    )
    async def test_odd_bytes_in_a_header_are_no_crash(self, http: httpx.AsyncClient, name: str) -> None:
        for value in (b"\xff\xfe", b"", b"\x80" * 1000):
            assert (await http.get("/api/v1/things", headers=[(name.encode(), value)])).status_code == 200

    async def test_cors_answers_the_origins_of_the_settings_alone(self) -> None:
        async with client(make_app(cors_origins=("https://app.example.com",))) as http:
            for path in ("/api/v1/things", "/nowhere"):
                answer = await http.get(path, headers={"origin": "https://app.example.com"})
                assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
                assert answer.headers["access-control-allow-credentials"] == "true"
                assert {"X-Request-Id", "Retry-After"} <= set(answer.headers["access-control-expose-headers"].split(", "))
            bug = await http.post("/api/v1/things/fail/bug", headers={"origin": "https://app.example.com"})
            assert (bug.status_code, bug.headers["access-control-allow-origin"]) == (500, "https://app.example.com")
            other = await http.get("/api/v1/things", headers={"origin": "https://evil.example"})
            assert "access-control-allow-origin" not in other.headers

    async def test_cors_preflight(self) -> None:
        async with client(make_app(cors_origins=("https://app.example.com",))) as http:
            asked = {"origin": "https://app.example.com", "access-control-request-method": "POST",
                     "access-control-request-headers": "x-api-key, idempotency-key"}  # fmt: skip
            answer = await http.options("/api/v1/things", headers=asked)
            assert answer.status_code == 200
            assert answer.headers["x-request-id"]
            assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
            assert answer.headers["access-control-allow-credentials"] == "true"
            assert "PATCH" in answer.headers["access-control-allow-methods"]
            assert "Origin" in answer.headers["vary"]

    @pytest.mark.parametrize(
        "origin",
        [
            "https://evil.example",
            "null",
            "http://app.example.com",
            "https://app.example.com:444",
            "https://app.example.com.evil.example",
        ],
    )
    async def test_a_preflight_of_another_origin_is_refused(self, origin: str) -> None:
        async with client(make_app(cors_origins=("https://app.example.com",))) as http:
            answer = await http.options("/api/v1/things", headers={"origin": origin, "access-control-request-method": "POST"})
            assert answer.status_code == 400
            assert "access-control-allow-origin" not in answer.headers

    async def test_without_origins_nobody_is_let_in(self, http: httpx.AsyncClient) -> None:
        answer = await http.get("/api/v1/things", headers={"origin": "https://app.example.com"})
        assert "access-control-allow-origin" not in answer.headers


def test_a_router_of_another_make_is_refused_at_the_start() -> None:
    from fastapi import APIRouter

    foreign = APIRouter()
    foreign.add_api_route("/x", lambda: None)
    with pytest.raises(TypeError, match="area_router"):
        create_area("x", foreign, runtime=SimpleNamespace(settings=Settings()))  # type: ignore[arg-type]
