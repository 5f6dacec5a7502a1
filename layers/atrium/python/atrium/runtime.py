"""The composition root: one `Runtime` per process wires settings, database, ports and providers, each on first use.

Providers are also imported on first use: most functions never ask for a model.
"""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from functools import cache, cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from atrium.db import Database, PasswordSource
from atrium.kernel.errors import NotFound, ProviderNotConfigured, Unavailable
from atrium.kernel.settings import Settings, load_settings
from atrium.kernel.telemetry import bound, configure_logging
from atrium.ports.keyring import KeyringSource, PublicKeySource
from atrium.ports.logins import iam_password
from atrium.ports.mail import Mail, SesMail
from atrium.ports.queue import Queue, SqsQueue
from atrium.ports.secrets import Secrets, SecretsManagerSecrets
from atrium.ports.storage import ObjectStorage, S3Storage
from atrium.ports.workflow import StepFunctionsWorkflow, Workflow
from atrium.providers.credentials import Credentials

if TYPE_CHECKING:
    from atrium.gateway.service import GatewayService
    from atrium.gateway.tenant_models import TenantModels
    from atrium.ledger.service import LedgerService
    from atrium.providers.base import ChatModel, Embedder
    from atrium.providers.openai_relay import OpenAIRelay
    from atrium.retrieval.reranking import Reranker

_KEY_SECONDS: Final = 300
# A key that a provider refuses for good must not become a read of the secret store on every request.
_REFRESH_SECONDS: Final = 10


class Runtime:
    """One process's parts. Nothing is opened before it is first used; `close` ends what was opened."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        self._chat_models: dict[str, ChatModel] = {}
        self._embedders: dict[str, Embedder] = {}

    @property
    def _iam_password(self) -> PasswordSource | None:
        """Where roles' passwords come from, when not from the settings."""
        settings = self.settings
        return None if settings.database_password else iam_password(settings.database_host, settings.database_port)

    @cached_property
    def database(self) -> Database:
        """Tenant transactions; without a password the role logs in with IAM tokens."""
        return Database(self.settings, password=self._iam_password)

    @cached_property
    def relay_database(self) -> Database:
        """The same database as `atrium_relay`, who sees named tables of all tenants; housekeeping alone may log in so."""
        settings = self.settings.model_copy(update={"database_user": "atrium_relay"})
        return Database(settings, password=self._iam_password)

    @cached_property
    def storage(self) -> ObjectStorage:
        """The bucket of documents."""
        return S3Storage(self.settings.bucket, self.settings.s3_public_url)

    @cached_property
    def ingest_queue(self) -> Queue:
        """Where the bucket's events wait for `ingest`."""
        return SqsQueue(self.settings.ingest_queue_url)

    @cached_property
    def ingest_dead_letters(self) -> Queue:
        """What `ingest` could not handle."""
        return SqsQueue(self.settings.ingest_dlq_url)

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

    @cached_property
    def public_keys(self) -> PublicKeySource:
        """What verifies access tokens, for those who hold no key."""
        return PublicKeySource(self.secrets, self.settings.jwks_secret)

    @cached_property
    def mail(self) -> Mail | None:
        """Mail to people; None on the local cloud, where what would be mailed is in the answer. `Unavailable`: not set up."""
        if self.settings.target == "local":
            return None
        if not self.settings.mail_from:
            raise Unavailable("No mail can be sent here: the setting MAIL_FROM is empty.")
        return SesMail(self.settings.mail_from)

    @cached_property
    def provider_keys(self) -> "ProviderKeys":
        """The model providers' keys."""
        return ProviderKeys(self.secrets, self.settings)

    @cached_property
    def tenant_models(self) -> "TenantModels":
        """The models and keys of every tenant."""
        from atrium.gateway.tenant_models import TenantModels

        base_urls = {"openai": self.settings.openai_base_url}
        return TenantModels(self.database, self.keyring, self.provider_keys.credentials, base_urls)

    @cached_property
    def ledger(self) -> "LedgerService":
        """Where money is kept."""
        from atrium.ledger.service import LedgerService

        return LedgerService(self.database)

    @cached_property
    def gateway(self) -> "GatewayService":
        """Every model, routed and metered; it knows which have been failing in this process."""
        from atrium.gateway.service import GatewayService

        return GatewayService(self)

    @cached_property
    def openai_wire(self) -> "OpenAIRelay":
        """What carries bytes in OpenAI's shape to who speaks it."""
        from atrium.providers.openai_relay import OpenAIRelay

        return OpenAIRelay()

    async def chat_model(self, name: str) -> "ChatModel":
        """The chat model `provider/name`; made once a provider, whose models share it. `UnknownModel` names the nearest."""
        from atrium.providers import registry

        model = registry.chat_spec(name).model
        # Servers of one's own take any name: one adapter each would be without end.
        made_for = model if model.startswith("local/") else model.partition("/")[0]
        if made_for not in self._chat_models:
            keys, folder = self.provider_keys.credentials, Path(self.settings.model_dir)
            self._chat_models[made_for] = await asyncio.to_thread(registry.chat_model, model, credentials=keys, model_dir=folder)
        return self._chat_models[made_for]

    async def embedder(self, name: str) -> "Embedder":
        """The embedding model `provider/name`, made once. `UnknownModel` names the nearest."""
        from atrium.providers import registry

        model = registry.embedding_space(name).model
        if model not in self._embedders:
            keys, folder = self.provider_keys.credentials, Path(self.settings.model_dir)
            self._embedders[model] = await asyncio.to_thread(registry.embedder, model, credentials=keys, model_dir=folder)
        return self._embedders[model]

    async def reranker(self, name: str) -> "Reranker":
        """The reranking model `provider/name`. `InvalidInput` names what exists."""
        from atrium.providers import registry

        return await asyncio.to_thread(registry.reranker, name, model_dir=Path(self.settings.model_dir))

    async def close(self) -> None:
        """Close what was opened; first comes to its end what goes on by itself."""
        if "gateway" in self.__dict__:
            from atrium.gateway.metering import finish

            await finish()
        for name in {"database", "relay_database"} & self.__dict__.keys():
            await self.__dict__[name].close()
        for name in {"openai_wire", "gateway"} & self.__dict__.keys():
            await self.__dict__[name].close()
        models = (*self._chat_models.values(), *self._embedders.values())
        if models:
            from atrium.providers.base import Closable

            for model in models:
                if isinstance(model, Closable):
                    await model.close()


class ProviderKeys:
    """Keys from the secret store, one secret per provider, `{"api_key", "base_url"?}`; kept five minutes, or until refused."""

    def __init__(self, store: Secrets, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        # None: there is no secret.
        self._known: dict[str, tuple[float, Credentials | None]] = {}
        self._lock = asyncio.Lock()

    async def credentials(self, provider: str, *, refresh: bool = False) -> Credentials:
        """The provider's key; `refresh` after it was refused, which a rotation would explain.

        `ProviderNotConfigured` names the setting that gives one.
        """
        if not self._fresh(provider, refresh=refresh):
            # Requests that were refused together share one look at the store.
            async with self._lock:
                if not self._fresh(provider, refresh=refresh):
                    self._known[provider] = (time.monotonic(), await self._read(provider))
        known = self._known[provider][1]
        if known is None:
            raise _not_configured(provider, self._settings.provider_secret_prefix)
        return known

    def _fresh(self, provider: str, *, refresh: bool) -> bool:
        read_at, known = self._known.get(provider, (None, None))
        seconds = _REFRESH_SECONDS if refresh or known is None else _KEY_SECONDS
        return read_at is not None and time.monotonic() - read_at <= seconds

    async def _read(self, provider: str) -> Credentials | None:
        try:
            text = await self._store.get(self._settings.provider_secret_prefix + provider)
        except NotFound:
            return None
        return self._parse(provider, text)

    def _parse(self, provider: str, text: str) -> Credentials | None:
        """What the secret says; None for a server of one's own without an address."""
        from atrium.providers.catalogue import providers

        try:
            secret, known = json.loads(text), providers().get(provider)
            own = known is not None and known.open
            base_url = secret.get("base_url") or (self._settings.openai_base_url if provider == "openai" else None)
            # A server of one's own may want no key; then it is its address that the secret holds.
            key = secret.get("api_key", "") if own else secret["api_key"]
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise Unavailable(f"the secret of provider {provider} is not readable") from exc
        return None if own and not (base_url or (known and known.base_url)) else Credentials(key, base_url)


def _not_configured(name: str, prefix: str) -> ProviderNotConfigured:
    from atrium.providers.catalogue import providers

    provider = providers().get(name)
    what = "address" if provider and provider.open else "API key"
    setting = f"{provider.setting} in .env, or " if provider and provider.setting else ""
    own = (
        "" if provider is None or provider.open else f", or give your organisation's own: PUT /api/v1/admin/provider-keys/{name}"
    )
    return ProviderNotConfigured(
        f"The provider {name} has no {what} in this deployment. Set {setting}the secret {prefix}{name}{own}."
    )


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


def worker_handler[Event, Reply](
    name: str,
) -> Callable[[Callable[[Runtime, Event], Coroutine[Any, Any, Reply]]], Callable[[Event, object], Reply]]:
    """Make a worker's Lambda entry of what it does with the process's runtime and an event; `name` is what its logs say.

    Every line of an invocation carries its id as `function_request_id`, where Lambda gives one.
    """

    def entry(work: Callable[[Runtime, Event], Coroutine[Any, Any, Reply]]) -> Callable[[Event, object], Reply]:
        @wraps(work)
        def handler(event: Event, context: object) -> Reply:
            parts = runtime()
            configure_logging(name, parts.settings.log_level)
            invocation = getattr(context, "aws_request_id", None)
            with bound(**{"function_request_id": invocation} if invocation else {}):
                return run(work(parts, event))

        return handler

    return entry
