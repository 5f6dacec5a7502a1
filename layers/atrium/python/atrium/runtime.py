"""The composition root: one `Runtime` per process wires settings, database, ports and providers, each on first use."""

import asyncio
import json
from collections.abc import Coroutine
from functools import cache, cached_property
from typing import Any

from atrium.db import Database
from atrium.kernel.errors import NotFound
from atrium.kernel.settings import Settings, load_settings
from atrium.ports.keyring import KeyringSource
from atrium.ports.logins import iam_password
from atrium.ports.queue import Queue, SqsQueue
from atrium.ports.secrets import Secrets, SecretsManagerSecrets
from atrium.ports.storage import ObjectStorage, S3Storage
from atrium.ports.workflow import StepFunctionsWorkflow, Workflow
from atrium.providers.base import ChatModel, Embedder


class Runtime:
    """One process's parts. Nothing is opened before it is first used; `close` ends what was opened."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()

    @cached_property
    def database(self) -> Database:
        """Tenant transactions; without a password the role logs in with IAM tokens."""
        settings = self.settings
        by_token = None if settings.database_password else iam_password(settings.database_host, settings.database_port)
        return Database(settings, password=by_token)

    @cached_property
    def storage(self) -> ObjectStorage:
        """The bucket of documents."""
        return S3Storage(self.settings.bucket, self.settings.s3_public_url)

    @cached_property
    def ingest_queue(self) -> Queue:
        """Where the bucket's events wait for `ingest`."""
        return SqsQueue(self.settings.ingest_queue_url)

    @cached_property
    def outbox_queue(self) -> Queue:
        """Wakes the outbox relay."""
        return SqsQueue(self.settings.outbox_queue_url)

    @cached_property
    def pipeline(self) -> Workflow:
        """The document pipeline."""
        return StepFunctionsWorkflow(self.settings.pipeline_arn)

    @cached_property
    def secrets(self) -> Secrets:
        """The secret store."""
        return SecretsManagerSecrets()

    @cached_property
    def keyring(self) -> KeyringSource:
        """The deployment's own keys."""
        return KeyringSource(self.secrets, self.settings.keyring_secret)

    async def close(self) -> None:
        """Close what was opened."""
        if "database" in self.__dict__:
            await self.database.close()


@cache
def runtime() -> Runtime:
    """The process's one runtime."""
    return Runtime()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def run[T](coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a worker's coroutine on the container's one event loop, which lives as long as the container."""
    return _loop().run_until_complete(coroutine)
