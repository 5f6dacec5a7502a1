"""A rag area over a real database, with OpenAI's wire on loopback behind the real SDK."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from atrium.answers.models import Answer, AnswerEvent, AnswerRequest
from atrium.answers.service import AnswerService
from atrium.db import Database
from atrium.kernel.principal import Principal, TenantId, worker
from atrium.kernel.settings import Settings, load_settings
from atrium.providers import catalogue, registry
from atrium.providers.base import ChatModel
from atrium.providers.credentials import Credentials
from atrium.providers.extractive import ExtractiveChat
from atrium.retrieval.service import RetrievalService
from functions.auth.app import create_app as create_auth
from functions.documents.app import create_app as create_documents
from functions.rag.app import create_app as create_rag
from tests.factories.auth import UNLIMITED, LocalRuntime, WholeApi, bearer, client, register
from tests.factories.retrieval import MODEL, FixedEmbedder
from tests.fakes.openai_server import OpenAIServer

GPT = "openai/gpt-4.1-mini"


@pytest.fixture
async def openai() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer() as server:
        yield server


@pytest.fixture
def small_window(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """As a deployment describes a model anew: GPT reads so many tokens."""
    monkeypatch.setenv("MODELS", json.dumps({"chat": {GPT: {"context_window": 1280, "max_output": 1280}}}))
    _forget()
    yield 1280
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    load_settings.cache_clear()
    catalogue._rows.cache_clear()
    catalogue.chat_specs.cache_clear()


class Models:
    """Chat models by name, as a runtime gives them; openai's is the fake."""

    def __init__(self, server: OpenAIServer) -> None:
        self._server = server
        self._made: dict[str, ChatModel] = {"local/extractive": ExtractiveChat()}

    async def of(self, name: str) -> ChatModel:
        async def credentials(provider: str, *, refresh: bool = False) -> Credentials:
            return Credentials("key-of-the-tests", self._server.base_url)

        if name not in self._made:
            self._made[name] = registry.chat_model(name, credentials=credentials)
        return self._made[name]

    async def close(self) -> None:
        for model in self._made.values():
            if hasattr(model, "close"):
                await model.close()


@pytest.fixture
async def models(openai: OpenAIServer) -> AsyncIterator[Models]:
    models = Models(openai)
    yield models
    await models.close()


@dataclass
class Answering:
    """The service, and its answers by a principal."""

    service: AnswerService
    embedder: FixedEmbedder

    async def whole(self, principal: Principal, question: str, **fields: Any) -> Answer:
        return await self.service.answer_whole(principal, AnswerRequest(question, **({"model": GPT} | fields)))

    async def events(self, principal: Principal, question: str, **fields: Any) -> list[AnswerEvent]:
        return [event async for event in self.service.answer(principal, AnswerRequest(question, **({"model": GPT} | fields)))]


@pytest.fixture
def answering(database: Database, settings: Settings, models: Models) -> Answering:
    chosen = settings.model_copy(update={"embedding_model": MODEL})
    embedder = FixedEmbedder()
    retrieval = RetrievalService(database, embedder.of, chosen)
    return Answering(AnswerService(database, retrieval, lambda _, name: models.of(name), chosen), embedder)


@dataclass
class Api:
    """The API and two tenants' sessions."""

    http: httpx.AsyncClient
    session: dict[str, Any]
    other: dict[str, Any]
    runtime: LocalRuntime

    @property
    def principal(self) -> Principal:
        """The first tenant's, for making rows."""
        return worker(TenantId(UUID(self.session["org"]["id"])))

    async def post(self, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
        return await self.http.post(f"/api/v1{path}", json=body, headers=bearer(self.session) | headers)


@pytest.fixture
async def api(settings: Settings, database: Database, models: Models) -> AsyncIterator[Api]:
    runtime = LocalRuntime(settings, database, **UNLIMITED)
    runtime.__dict__["chat_model"] = models.of
    runtime.memory_secrets.values[f"{settings.provider_secret_prefix}openai"] = '{"api_key": "key-of-the-tests"}'
    areas = {"auth": create_auth(runtime), "documents": create_documents(runtime), "rag": create_rag(runtime)}
    app = WholeApi(areas, nowhere="rag")
    async with client(app) as http:
        yield Api(http, await register(http), await register(http, "bob@example.com", "Other"), runtime)
