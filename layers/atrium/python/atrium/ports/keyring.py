"""The deployment's own keys: one secret, made by `migrate`, read by everyone, rotated by adding a kid in front."""

import asyncio
import json
import secrets
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from atrium.kernel.errors import NotFound, Unavailable
from atrium.ports.secrets import Secrets

_CACHE_SECONDS = 300
# A forged kid in a token must not become a way to make us ask the secret store on every request.
_REFRESH_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Key:
    """32 random bytes and the name under which what they signed is found again."""

    kid: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keyring:
    """Newest key first: the first signs, all verify.

    signing: Ed25519 seeds of access tokens; pepper: HMAC-SHA256 of API keys; cursor: MAC of list cursors;
    data: AES-256-GCM of tenants' secrets at rest.
    """

    signing: tuple[Key, ...]
    pepper: tuple[Key, ...]
    cursor: tuple[Key, ...]
    data: tuple[Key, ...]

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse the secret; `Unavailable` when it is not a keyring."""
        try:
            rings = json.loads(text)
            return cls(**{use: tuple(Key(k["kid"], b64decode(k["key"])) for k in rings[use]) for use in cls.__slots__})
        except (ValueError, KeyError, TypeError) as exc:
            raise Unavailable("the keyring secret is not readable") from exc


def new_keyring() -> str:
    """A keyring of fresh random keys, as the JSON that the secret holds."""
    return json.dumps({use: [_new_key()] for use in Keyring.__slots__})


def _new_key() -> dict[str, str]:
    return {"kid": secrets.token_hex(4), "key": b64encode(secrets.token_bytes(32)).decode()}


class _Source[T]:
    """Reads a secret of ours, keeps what it says five minutes, and reads it again when a caller met an unknown kid."""

    def __init__(self, store: Secrets, name: str, parse: Callable[[str], T], what: str) -> None:
        self._store = store
        self._name = name
        self._parse = parse
        self._what = what
        self._known: T | None = None
        self._read_at = 0.0
        self._lock = asyncio.Lock()

    async def get(self, *, refresh: bool = False) -> T:
        """What it says; `refresh` after an authentication failure that a rotation would explain."""
        async with self._lock:
            age = time.monotonic() - self._read_at
            if self._known is None or age > (_REFRESH_SECONDS if refresh else _CACHE_SECONDS):
                self._known = self._parse(await self._read())
                self._read_at = time.monotonic()
            return self._known

    async def _read(self) -> str:
        try:
            return await self._store.get(self._name)
        except NotFound as exc:  # `migrate` makes it: to a caller the deployment is not ready, not the thing absent
            raise Unavailable(f"{self._what} not there yet") from exc


class KeyringSource(_Source[Keyring]):
    """The keyring, for those who sign, verify or seal."""

    def __init__(self, store: Secrets, name: str) -> None:
        super().__init__(store, name, Keyring.from_json, "the keyring is")


JsonWebKeys = dict[str, list[dict[str, str]]]


class PublicKeySource(_Source[JsonWebKeys]):
    """The public keys of access tokens as a JWK set, which `migrate` publishes, for those who need no other key."""

    def __init__(self, store: Secrets, name: str) -> None:
        super().__init__(store, name, _parse_jwks, "the public keys are")


def _parse_jwks(text: str) -> JsonWebKeys:
    try:
        return {"keys": list(json.loads(text)["keys"])}
    except (ValueError, KeyError, TypeError) as exc:
        raise Unavailable("the public keys are not readable") from exc
