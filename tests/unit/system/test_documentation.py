"""docs/openapi.json is the code's; /docs and /redoc show it and load nothing from anywhere."""

import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from atrium.kernel.settings import Settings
from atrium.runtime import Runtime
from atrium.web.app import create_area
from atrium.web.routing import area_router
from functions.system.app import create_app
from infra.openapi import merge, merged_document, render
from tests.factories.auth import client

COMMITTED = Path(__file__).parents[3] / "docs" / "openapi.json"
DOCUMENT: dict[str, Any] = json.loads(COMMITTED.read_text(encoding="utf-8"))
OPERATIONS = [
    pytest.param(path, method, operation, id=operation["operationId"])
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with client(create_app(Runtime(Settings()))) as http:
        yield http


class TestDocument:
    def test_the_committed_copy_is_what_the_code_says(self) -> None:
        assert render(merged_document()) == COMMITTED.read_text(encoding="utf-8"), "run make openapi"

    async def test_it_is_served(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/openapi.json")).json() == DOCUMENT

    @pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
    def test_every_operation_declares_what_can_happen(self, path: str, method: str, operation: dict[str, Any]) -> None:
        declared = set(operation["responses"])
        assert "500" in declared
        if "security" in operation:
            assert {"401", "429", "503"} <= declared
            # Who is not the operator is nobody there.
            assert ("403" in declared) == (path != "/metrics")
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= declared
        if "{" in path:
            assert "404" in declared
        for status, answer in operation["responses"].items():
            if int(status) >= 400 and (path, status) not in {("/readyz", "503"), ("/health/ready", "503")}:
                shape = "application/json" if path.startswith("/v1/") else "application/problem+json"  # /v1 has OpenAI's own
                assert list(answer["content"]) == [shape]

    @pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
    def test_every_operation_says_what_it_does(self, path: str, method: str, operation: dict[str, Any]) -> None:
        assert operation["description"].endswith(".")

    @pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
    def test_every_authenticated_post_outside_auth_and_streams_is_idempotent(
        self, path: str, method: str, operation: dict[str, Any]
    ) -> None:
        takes_a_key = "Idempotency-Key" in {parameter["name"] for parameter in operation.get("parameters", [])}
        excepted = "/auth/" in path or path in {"/api/v1/query", "/api/v1/llm/chat/stream"}
        expected = method == "post" and "security" in operation and not excepted
        assert takes_a_key == expected

    def test_every_reference_leads_somewhere(self) -> None:
        for name in set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(DOCUMENT))):
            assert name in DOCUMENT["components"]["schemas"]


class TestMerge:
    def area(self, name: str, answer: type) -> FastAPI:
        async def read() -> object:
            return answer()

        router = area_router(prefix=f"/{name}")
        router.add_api_route("", read, name=name, response_model=answer)
        return create_area(name, router, runtime=Runtime(Settings()))

    def test_areas_are_put_side_by_side(self) -> None:
        merged = merge([self.area("one", int), self.area("two", str)])
        assert set(merged["paths"]) == {"/api/v1/one", "/api/v1/two"}

    def test_the_same_path_may_not_mean_two_things(self) -> None:
        with pytest.raises(ValueError, match="path /api/v1/one"):
            merge([self.area("one", int), self.area("one", str)])

    def test_an_operation_id_is_used_once(self) -> None:
        one, two = self.area("one", int), self.area("two", int)
        two.openapi()["paths"]["/api/v1/two"]["get"]["operationId"] = "one"
        with pytest.raises(ValueError, match="operation ids are repeated: one"):
            merge([one, two])


class Loads(HTMLParser):
    """What a page would load, and its own script and style."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.inline: dict[str, str] = {}
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.urls += [given[name] or "" for name in ("src", "data", "poster") if name in given]
        if tag == "link":
            self.urls.append(given.get("href") or "")
        assert not [name for name in given if name.startswith("on") or name == "style"], "an inline handler or style"
        self._inside = tag if tag in {"script", "style"} else ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.inline[self._inside] = self.inline.get(self._inside, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


class TestPages:
    @pytest.mark.parametrize("path", ["/docs", "/redoc"])
    async def test_a_page_loads_nothing_and_its_policy_allows_just_itself(self, http: httpx.AsyncClient, path: str) -> None:
        answer = await http.get(path)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        page = Loads()
        page.feed(answer.text)
        assert page.urls == []
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none';")
        for text in page.inline.values():
            assert f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" in policy
        assert "http" not in policy

    async def test_every_operation_is_there_to_read_and_to_try(self, http: httpx.AsyncClient) -> None:
        docs, redoc = (await http.get("/docs")).text, (await http.get("/redoc")).text
        for path in DOCUMENT["paths"]:
            assert f'data-path="{path}"' in docs
            assert path in redoc
        assert docs.count("<button>") == len(OPERATIONS)
        assert "<button>" not in redoc
        for name in DOCUMENT["components"]["schemas"]:
            assert f'id="schema-{name}"' in redoc

    async def test_the_index_leads_to_them(self, http: httpx.AsyncClient) -> None:
        index = (await http.get("/")).json()
        for name in ("docs", "reference", "openapi"):
            assert (await http.get(index[name])).status_code == 200

    async def test_what_the_document_says_is_escaped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from functions.system import pages

        schema = {"components": {"schemas": {}}, "info": {"title": "<b>"}, "paths": {}}
        operation = {"description": "<script>alert(1)</script>", "responses": {"200": {"description": '"><img>'}}}
        shown = pages._operation(schema, "get", '/<x y="">', operation, trial=True)
        assert "<script>" not in shown
        assert "<img>" not in shown
        assert '/<x y="">' not in shown
