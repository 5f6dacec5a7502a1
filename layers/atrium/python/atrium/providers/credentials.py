"""How a provider gets its key: from a source that the caller wires to the secret store."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Credentials:
    """A provider's key. `base_url` None: the provider's own public endpoint. `own`: it is a tenant's, not the platform's."""

    api_key: str = field(repr=False)
    base_url: str | None = None
    own: bool = False


class CredentialsSource(Protocol):
    """Asked before every call to a provider, so it caches."""

    async def __call__(self, provider: str, *, refresh: bool = False) -> Credentials:
        """The provider's key; `refresh` after it was refused. `ProviderNotConfigured`: there is none, and what would give one."""
        ...
