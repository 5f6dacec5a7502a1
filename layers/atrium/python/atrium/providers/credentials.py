"""How a provider gets its key: from a source that the caller wires to the secret store."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """A provider's key. `base_url` None: the provider's own public endpoint."""

    api_key: str = field(repr=False)
    base_url: str | None = None


# Called with the provider's name before every call to it, so it caches. `NotFound`: this deployment has no key for it.
type CredentialsSource = Callable[[str], Awaitable[Credentials]]
