"""The areas as clients see them: in process, over a real database, with stand-ins for AWS alone."""

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Literal

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from atrium.db import Database
from atrium.gateway.models import Embedded, Purpose
from atrium.gateway.service import GatewayService
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.ports.keyring import Keyring, new_keyring
from atrium.ports.mail import Mail
from atrium.ports.queue import Queue
from atrium.ports.secrets import Secrets
from atrium.ports.storage import ObjectStorage
from atrium.ports.workflow import Workflow
from atrium.providers.base import ChatModel, Embedder
from atrium.providers.extractive import ExtractiveChat
from atrium.runtime import Runtime
from atrium.tenancy.tokens import jwks
from infra.areas import area_for
from tests.factories.documents import MODEL, HashEmbedder
from tests.fakes.memory import MemoryMail, MemoryQueue, MemorySecrets, MemoryStorage, MemoryWorkflow

PASSWORD = "secret123"
ORIGIN = "http://atrium.test"
# What a suite that hammers the public routes from one address needs.
UNLIMITED: dict[str, Any] = {"rate_limit_public": 1_000_000, "rate_limit_principal": 1_000_000, "rate_limit_tenant": 1_000_000}


class LocalRuntime(Runtime):
    """A runtime over a test's database and the ports in memory."""

    def __init__(self, settings: Settings, database: Database, **changed: object) -> None:
        super().__init__(settings.model_copy(update={"embedding_model": MODEL, **changed}))
        self._database = database
        self._embedder = HashEmbedder()
        self.memory_storage = MemoryStorage()
        keyring = new_keyring()
        published = json.dumps(jwks(Keyring.from_json(keyring)))
        self.memory_secrets = MemorySecrets({settings.keyring_secret: keyring, settings.jwks_secret: published})
        self.memory_queue = MemoryQueue()
        self.memory_mail = MemoryMail()

    @cached_property
    def database(self) -> Database:
        return self._database

    @cached_property
    def secrets(self) -> Secrets:
        return self.memory_secrets

    @cached_property
    def storage(self) -> ObjectStorage:
        return self.memory_storage

    @cached_property
    def ingest_queue(self) -> Queue:
        return self.memory_queue

    @cached_property
    def ingest_dead_letters(self) -> Queue:
        return MemoryQueue()

    @cached_property
    def outbox_queue(self) -> Queue:
        return MemoryQueue()

    @cached_property
    def mail(self) -> Mail | None:
        return self.memory_mail if super().mail else None

    @cached_property
    def pipeline(self) -> Workflow:
        return MemoryWorkflow()

    @cached_property
    def gateway(self) -> GatewayService:
        return LocalGateway(self)

    async def embedder(self, name: str) -> Embedder:
        # Where no test has told the folder of the real one.
        absent = name == "local/all-minilm-l6-v2" and self.settings.model_dir == Settings().model_dir
        return self._embedder if name == MODEL or absent else await super().embedder(name)

    async def chat_model(self, name: str) -> ChatModel:
        return ExtractiveChat() if name == "local/extractive" else await super().chat_model(name)


class LocalGateway(GatewayService):
    """Search and ingestion by the model of tests, which is in no catalogue."""

    async def embedder(self, principal: Principal, model: str, purpose: Purpose) -> Embedder:
        return await (self.adapters.embedding(model) if model == MODEL else super().embedder(principal, model, purpose))

    async def embed(
        self, principal: Principal, model: str, texts: Sequence[str], kind: Literal["document", "query"], purpose: Purpose
    ) -> Embedded:
        if model != MODEL:
            return await super().embed(principal, model, texts, kind, purpose)
        vectors = await (await self.adapters.embedding(model)).embed(texts, kind)
        return Embedded(new_id(), model, vectors, len(texts), 0)


class WholeApi:
    """Every area behind one ASGI application, as the gateway's paths divide them."""

    def __init__(self, areas: dict[str, FastAPI], nowhere: str = "system") -> None:
        self._areas = areas
        self._nowhere = nowhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        area = area_for(scope.get("path", ""))
        await self._areas[area.name if area else self._nowhere](scope, receive, send)


def client(app: ASGIApp, **headers: str) -> httpx.AsyncClient:
    """A client of an application in this process; an exception of the application is the test's."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN, headers=headers)


async def register(anyone: httpx.AsyncClient, email: str = "ada@example.com", org_name: str = "Acme") -> dict[str, Any]:
    """The answer of a successful registration."""
    answer = await anyone.post("/api/v1/auth/register", json={"org_name": org_name, "email": email, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    session: dict[str, Any] = answer.json()
    return session


def bearer(session: dict[str, Any]) -> dict[str, str]:
    """The header of a session."""
    return {"Authorization": f"Bearer {session['access_token']}"}


async def join(http: httpx.AsyncClient, admin: dict[str, Any], email: str, role: str = "member") -> dict[str, Any]:
    """The session of a user who was invited by an admin and has accepted, with the usual password."""
    invited = await http.post("/api/v1/users", json={"email": email, "role": role}, headers=bearer(admin))
    assert invited.status_code == 201, invited.text
    body = {"token": invited.json()["token"], "password": PASSWORD}
    answer = await http.post("/api/v1/users/accept", json=body)
    assert answer.status_code == 201, answer.text
    session: dict[str, Any] = answer.json()
    return session


async def make_key(admin: httpx.AsyncClient, session: dict[str, Any], **fields: object) -> dict[str, Any]:
    """A new API key of the session's tenant, as the API shows it once."""
    answer = await admin.post("/api/v1/api-keys", json={"name": "a key", **fields}, headers=bearer(session))
    assert answer.status_code == 201, answer.text
    key: dict[str, Any] = answer.json()
    return key


Clients = Callable[..., httpx.AsyncClient]
