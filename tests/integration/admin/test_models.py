"""The routes of models and provider keys."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from atrium.db import Database
from atrium.kernel.settings import Settings
from infra.openapi import area_apps
from tests.factories.auth import UNLIMITED, LocalRuntime, WholeApi, bearer, client, join, make_key, register

KEYS = "/api/v1/admin/provider-keys"
MODELS = "/api/v1/admin/models"
KEY = "sk-proj-0123456789abcdefWXYZ"


@pytest.fixture
async def http(settings: Settings, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with client(WholeApi(area_apps(LocalRuntime(settings, database, **UNLIMITED)))) as http:
        http.headers.update(bearer(await register(http)))
        yield http


def model(answer: httpx.Response, name: str) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = next(each for each in answer.json()["models"] if each["model"] == name)
    return found


async def test_the_catalogue_is_shown_with_prices_in_dollars(http: httpx.AsyncClient) -> None:
    answer = await http.get(MODELS)
    shown = model(answer, "xai/grok-4.7")
    assert shown["price"] == {
        "input": 2.0, "output": 6.0, "cached": 0.5, "as_of": "2026-09-21", "source": "https://docs.x.ai/developers/pricing",
        "long": {"input": 4.0, "output": 12.0, "cached": 1.0, "above": 200_000},
    }  # fmt: skip
    assert (shown["enabled"], shown["configured"], shown["own_key"], shown["override"]) == (True, False, False, None)
    assert "vision" in shown["capabilities"]
    assert model(answer, "local/extractive")["configured"] is True
    assert {each["name"] for each in answer.json()["providers"]} >= {"local", "openai", "anthropic", "xai", "groq", "ollama"}


async def test_a_model_is_switched_off_priced_and_put_back(http: httpx.AsyncClient) -> None:
    price = {"input": 1.125, "output": 2}
    change = {"model": "gpt-4o", "enabled": False, "price": price, "note": "ask Ada"}
    shown = model(await http.put(MODELS, json={"models": [change]}), "openai/gpt-4o")
    updated_at = shown["override"].pop("updated_at")
    assert updated_at.endswith("Z")
    assert shown["override"] == {
        "enabled": False, "price": {"input": 1.125, "output": 2.0, "cached": 1.125}, "note": "ask Ada"
    }  # fmt: skip
    assert shown["price"]["input"] == 2.5, "without a key of one's own"
    await http.put(f"{KEYS}/openai", json={"api_key": KEY})
    assert model(await http.get(MODELS), "openai/gpt-4o")["price"]["input"] == 1.125
    shown = model(await http.put(MODELS, json={"models": [{"model": "openai/gpt-4o"}]}), "openai/gpt-4o")
    assert (shown["enabled"], shown["override"], shown["own_key"], shown["configured"]) == (True, None, True, True)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"model": "gpt-4o-mni"}, "/models/0/model"),
        ({"model": "gpt-4o", "price": {"input": 1.00001, "output": 1}}, "/models/0/price/input"),
        ({"model": "gpt-4o", "price": {"input": 1, "output": -1}}, "/models/0/price/output"),
        ({"model": "gpt-4o", "price": {"input": 1, "output": 1, "cached": 2}}, "/models/0/price"),
        ({"model": "gpt-4o", "base_url": "http://169.254.169.254"}, "/models/0/base_url"),
        ({}, "/models/0/model"),
    ],
)
async def test_what_is_wrong_in_a_change_is_named(http: httpx.AsyncClient, change: dict[str, Any], pointer: str) -> None:
    answer = await http.put(MODELS, json={"models": [change]})
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, [pointer])


async def test_a_key_is_written_and_never_read(http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert (await http.get(f"{KEYS}/openai")).json() == {
        "provider": "openai", "present": False, "last_four": None, "created_at": None, "updated_at": None
    }  # fmt: skip
    first = await http.put(f"{KEYS}/openai", json={"api_key": KEY})
    again = await http.put(f"{KEYS}/openai", json={"api_key": KEY[:-4] + "9876"})
    seen = await http.get(f"{KEYS}/openai")
    assert (first.json()["last_four"], again.json()["last_four"], seen.json()["present"]) == ("WXYZ", "9876", True)
    assert again.json()["created_at"] == first.json()["created_at"]
    log = await http.get("/api/v1/admin/audit?action=provider_key")
    assert [entry["detail"] for entry in log.json()["data"]] == [{"last_four": "9876"}, {"last_four": "WXYZ"}]
    for answer in (first, again, seen, log, await http.get(MODELS)):
        assert KEY[:-4] not in answer.text
    assert KEY[:-4] not in caplog.text
    assert (await http.delete(f"{KEYS}/openai")).status_code == 204
    assert (await http.delete(f"{KEYS}/openai")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"api_key": "short"},
        {"api_key": "sk-with a space in it"},
        {"api_key": KEY, "base_url": "http://169.254.169.254"},
        {"api_key": None},
    ],
)
async def test_what_is_no_key_is_refused_and_not_repeated(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answer = await http.put(f"{KEYS}/openai", json=body)
    assert answer.status_code == 422
    assert str(body["api_key"]) not in answer.text.replace("null", "")
    assert (await http.get(f"{KEYS}/openai")).json()["present"] is False


@pytest.mark.parametrize("provider", ["ollama", "nobody", "local"])
async def test_other_providers_take_no_keys(http: httpx.AsyncClient, provider: str) -> None:
    for answer in (await http.get(f"{KEYS}/{provider}"), await http.put(f"{KEYS}/{provider}", json={"api_key": KEY})):
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:atrium:problem:not-found")


async def test_members_and_keys_without_the_scope_may_not(http: httpx.AsyncClient) -> None:
    admin = {"access_token": http.headers.pop("Authorization").removeprefix("Bearer ")}
    member = bearer(await join(http, admin, "bob@example.com"))
    narrow = {"X-API-Key": (await make_key(http, admin, role="admin", scopes=["usage:read"]))["key"]}
    for headers in (member, narrow):
        for method, path, body in (
            ("GET", MODELS, None),
            ("PUT", MODELS, {"models": [{"model": "gpt-4o"}]}),
            ("GET", f"{KEYS}/openai", None),
            ("PUT", f"{KEYS}/openai", {"api_key": KEY}),
            ("DELETE", f"{KEYS}/openai", None),
        ):
            assert (await http.request(method, path, json=body, headers=headers)).status_code == 403
