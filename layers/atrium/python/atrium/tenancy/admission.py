"""Who asks, and may they ask now: authentication and rate limits, in one database call a request."""

import hmac
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from typing import Any, Final
from uuid import UUID

from atrium.db import Database
from atrium.kernel.clock import now
from atrium.kernel.errors import RateLimited, Unauthenticated
from atrium.kernel.principal import Operator, Principal, PrincipalKind, Role, TenantId
from atrium.kernel.settings import Settings
from atrium.ports.keyring import Keyring, KeyringSource
from atrium.tenancy import repository
from atrium.tenancy.keys import ApiKeyText, key_mac, parse_key
from atrium.tenancy.models import Admitted, RateLimits, RateState
from atrium.tenancy.tokens import TokenCodec, UnknownKey

_INVALID_KEY: Final = "The API key is not valid."


class Admission:
    """Turns credentials into a `Principal`. Errors: Unauthenticated, RateLimited, Unavailable (the database: closed)."""

    def __init__(self, database: Database, keyring: KeyringSource, settings: Settings) -> None:
        self._database = database
        self._keyring = keyring
        self._codec = TokenCodec(settings.token_issuer, settings.token_audience, settings.access_token_ttl)
        self._limits = RateLimits(settings.rate_limit_principal, settings.rate_limit_tenant, settings.rate_limit_public)

    async def by_api_key(self, text: str) -> Admitted:
        """The tenant's key in `text`."""
        key = _parsed(text)
        row = await self._admit_key(key, await self._keyring.get())
        if row["outcome"] == "unknown_pepper":
            row = await self._admit_key(key, await self._keyring.get(refresh=True))
        rate = _admitted_rate(row, _INVALID_KEY)
        principal = Principal(
            TenantId(row["tenant_id"]), PrincipalKind.API_KEY, row["id"], Role(row["role"]), frozenset(row["scopes"])
        )
        return Admitted(principal, rate)

    async def by_access_token(self, token: str) -> Admitted:
        """The user of an access token of ours."""
        try:
            claims = self._codec.verify(await self._keyring.get(), token, now())
        except UnknownKey:
            claims = self._codec.verify(await self._keyring.get(refresh=True), token, now())
        row = await repository.admit_user(self._database, claims, self._limits)
        rate = _admitted_rate(row, "The session has ended.")
        principal = Principal(claims.tenant_id, PrincipalKind.USER, claims.user_id, Role(row["role"]))
        return Admitted(principal, rate, claims.session_id)

    async def operator(self, text: str) -> Operator:
        """The deployment's operator, or Unauthenticated."""
        key = _parsed(text)
        outcome = await repository.operator_outcome(self._database, key.key_id, _macs(await self._keyring.get(), key))
        if outcome == "unknown_pepper":
            outcome = await repository.operator_outcome(
                self._database, key.key_id, _macs(await self._keyring.get(refresh=True), key)
            )
        if outcome != "ok":
            raise Unauthenticated(_INVALID_KEY)
        return Operator(key.key_id)

    async def throttle(self, address: str, email: str) -> RateState:
        """Take a public caller's tokens: of their address, and of the e-mail they speak for."""
        row = await repository.throttle(self._database, await self.public_buckets(address, email), self._limits)
        return rate_of(row, granted=row["granted"])

    async def public_buckets(self, address: str, email: str = "") -> list[str]:
        """The names of a public caller's buckets: by network address and, where one is given, by e-mail.

        They are MACs: the table must not be a list of who was here.
        """
        pepper = (await self._keyring.get()).pepper[0].key
        names = [f"ip:{_network(address)}"] + ([f"email:{email}"] if email else [])
        return [f"{name.split(':', 1)[0]}:{hmac.digest(pepper, name.encode(), sha256).hex()[:32]}" for name in names]

    async def _admit_key(self, key: ApiKeyText, keyring: Keyring) -> dict[str, Any]:
        return await repository.admit_key(self._database, key.key_id, _macs(keyring, key), self._limits)


def rate_of(row: dict[str, Any], *, granted: bool) -> RateState:
    """The rate state of a definer function's row; `RateLimited` when it granted nothing."""
    if not granted:
        raise RateLimited(row["retry_after"], int(row["capacity"]), "Too many requests; wait, then try again.")
    return RateState(int(row["capacity"]), int(row["remaining"]), row["full_after"])


def new_principal(tenant_id: UUID, user_id: UUID, role: Role = Role.ADMIN) -> Principal:
    """The principal of a user whose password or refresh token was just verified."""
    return Principal(TenantId(tenant_id), PrincipalKind.USER, user_id, role)


def _parsed(text: str) -> ApiKeyText:
    key = parse_key(text)
    if key is None:
        raise Unauthenticated(_INVALID_KEY)
    return key


def _macs(keyring: Keyring, key: ApiKeyText) -> dict[str, bytes]:
    return {pepper.kid: key_mac(pepper, key) for pepper in keyring.pepper}


def _admitted_rate(row: dict[str, Any], refusal: str) -> RateState:
    if row["outcome"] not in {"ok", "limited"}:
        raise Unauthenticated(refusal)
    return rate_of(row, granted=row["outcome"] == "ok")


def _network(address: str) -> str:
    """One caller's address; of IPv6 the /64, which one caller has whole."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return f"{parsed.exploded[:19]}::/64" if isinstance(parsed, IPv6Address) else str(parsed)
