"""Who asks, and may they ask now: authentication, rate limits and money, in one database call a request."""

import hmac
from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from typing import Any, Final
from uuid import UUID

from atrium.db import Database
from atrium.kernel.clock import now
from atrium.kernel.errors import RateLimited, Unauthenticated
from atrium.kernel.principal import Operator, Principal, PrincipalKind, Role, TenantId
from atrium.kernel.settings import Settings
from atrium.ledger.holding import reservation_of
from atrium.ledger.models import Reservation, Spend
from atrium.ports.keyring import Keyring, KeyringSource
from atrium.tenancy import repository
from atrium.tenancy.keys import ApiKeyText, key_mac, parse_key
from atrium.tenancy.models import Admitted, Bucket, Caller, RateLimits, RateState
from atrium.tenancy.tokens import TokenCodec, UnknownKey

_INVALID_KEY: Final = "The API key is not valid."
# Invitations of a tenant, for each token a minute of a public caller: 200 where that has 20.
_MAILS_A_DAY: Final = 10
# As many callers' tokens as one may take has an e-mail, from wherever they come.
_PLACES: Final = 10
# `repository.admit_key` and `admit_operator`.
_AskForKey = Callable[[Database, str, dict[str, bytes], str, RateLimits], Awaitable[dict[str, Any]]]


class Admission:
    """Turns credentials into a `Principal`. Errors: Unauthenticated, RateLimited, Unavailable (the database: closed).

    Who says at once what a request is going to spend has it reserved in the same call: BudgetExceeded where there is no room,
    else `Admitted.reservation`, which is then to be settled whatever comes of the request.

    Credentials that the database does not know take a token from a bucket of the caller's network address, and when that is
    empty the answer is RateLimited. It is another bucket than that of the public routes: one program with an old key, run in
    a loop, must not lock everybody behind the same address out of logging in. What is refused here already (a key with a wrong
    checksum, a token with a wrong signature or from yesterday) takes none: it costs no query, and counting it would make each
    such request a write that wakes the database. A client whose token has just expired is also no guesser.
    """

    def __init__(self, database: Database, keyring: KeyringSource, settings: Settings) -> None:
        self._database = database
        self._keyring = keyring
        self._codec = TokenCodec(settings.token_issuer, settings.token_audience, settings.access_token_ttl)
        self._limits = RateLimits(settings.rate_limit_principal, settings.rate_limit_tenant, settings.rate_limit_public)

    async def by_api_key(self, text: str, caller: Caller, spend: Spend | None = None) -> Admitted:
        """The tenant's key in `text`."""
        row = await self._known_key(partial(repository.admit_key, spend=spend), _parsed(text), caller)
        rate = _admitted_rate(row, _INVALID_KEY, caller)
        principal = Principal(
            TenantId(row["tenant_id"]), PrincipalKind.API_KEY, row["id"], Role(row["role"]), frozenset(row["scopes"])
        )
        return Admitted(principal, rate, reservation=_reserved(row, spend, rate, caller))

    async def by_access_token(self, token: str, caller: Caller, spend: Spend | None = None) -> Admitted:
        """The user of an access token of ours."""
        try:
            claims = self._codec.verify(await self._keyring.get(), token, now())
        except UnknownKey:
            claims = self._codec.verify(await self._keyring.get(refresh=True), token, now())
        row = await repository.admit_user(self._database, claims, await self._guesses(caller), self._limits, spend)
        rate = _admitted_rate(row, "The session has ended.", caller)
        principal = Principal(claims.tenant_id, PrincipalKind.USER, claims.user_id, Role(row["role"]))
        return Admitted(principal, rate, claims.session_id, _reserved(row, spend, rate, caller))

    async def operator(self, text: str, caller: Caller) -> Operator:
        """The deployment's operator."""
        key = _parsed(text)
        row = await self._known_key(repository.admit_operator, key, caller)
        _check_outcome(row, _INVALID_KEY, caller)
        return Operator(key.key_id, sha256(key.text.encode()).digest())

    async def throttle(self, caller: Caller, email: str = "") -> None:
        """Take a public caller's tokens: of their address, and of the e-mail they speak for."""
        row = await repository.take(self._database, await self.public_buckets(caller, email))
        caller.rate = rate_of(row, granted=row["granted"])

    async def throttle_resets(self, email: str) -> None:
        """Take a token of what may be mailed to an e-mail, whoever asks for it and whether it is anybody's or not."""
        await self._take({await self._mails(email): self._mails_an_hour()})

    async def throttle_invitations(self, tenant_id: TenantId, email: str) -> None:
        """The same, and a token of what the tenant may have mailed."""
        own = f"invitations:{tenant_id}"
        daily = f"mails:{tenant_id}"
        limits = {
            own: Bucket.minutely(self._limits.public),
            daily: Bucket.daily(self._limits.public * _MAILS_A_DAY),
            await self._mails(email): self._mails_an_hour(),
        }
        await self._take(limits)

    async def public_buckets(self, caller: Caller, email: str = "") -> dict[str, Bucket]:
        """A public caller's buckets: by network address and, where one is given, by e-mail.

        The e-mail has one for each address and a larger one for all: who guesses from one place locks its owner, who is at
        another, not out.
        """
        network, one = _network(caller.address), Bucket.minutely(self._limits.public)
        buckets = {f"ip:{network}": one}
        if email:
            everywhere = Bucket.minutely(self._limits.public * _PLACES)
            buckets |= {f"email:{email} {network}": one, f"emails:{email}": everywhere}
        return {await self._hidden(name): bucket for name, bucket in buckets.items()}

    async def _guesses(self, caller: Caller) -> str:
        return await self._hidden(f"guess:{_network(caller.address)}")

    async def _mails(self, email: str) -> str:
        return await self._hidden(f"mail:{email}")

    def _mails_an_hour(self) -> Bucket:
        """A mailbox must not fill up because somebody else asks, so it takes much less than a login; 5 where that has 20."""
        return Bucket.hourly(max(1.0, self._limits.public / 4))

    async def _hidden(self, name: str) -> str:
        """A bucket's name, `kind:value`, with a MAC for its value: the table must not be a list of who was here."""
        pepper = (await self._keyring.get()).pepper[0].key
        return f"{name.split(':', 1)[0]}:{hmac.digest(pepper, name.encode(), sha256).hex()[:32]}"

    async def _take(self, buckets: dict[str, Bucket]) -> None:
        row = await repository.take(self._database, buckets)
        rate_of(row, granted=row["granted"])

    async def _known_key(self, ask: _AskForKey, key: ApiKeyText, caller: Caller) -> dict[str, Any]:
        """The row of a key; where it is of a pepper that is not here, after a look at the secret store."""
        guesses = await self._guesses(caller)
        row = await ask(self._database, key.key_id, _macs(await self._keyring.get(), key), guesses, self._limits)
        if row["outcome"] == "unknown_pepper":
            macs = _macs(await self._keyring.get(refresh=True), key)
            row = await ask(self._database, key.key_id, macs, guesses, self._limits)
        if row["outcome"] == "unknown_pepper":
            # The pepper is gone, so this is nobody's key any more; the database took no token for it.
            taken = await repository.throttle(self._database, [guesses], self._limits)
            row = taken | {"outcome": "unknown" if taken["granted"] else "limited"}
        return row


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


def _admitted_rate(row: dict[str, Any], refusal: str, caller: Caller) -> RateState:
    _check_outcome(row, refusal, caller)
    return rate_of(row, granted=True)


def _reserved(row: dict[str, Any], spend: Spend | None, rate: RateState, caller: Caller) -> Reservation | None:
    if spend is None:
        return None
    # Who is refused is told their rate all the same.
    caller.rate = rate
    return reservation_of(row, spend)


def _check_outcome(row: dict[str, Any], refusal: str, caller: Caller) -> None:
    if row["outcome"] == "ok":
        return
    caller.rate = rate_of(row, granted=row["outcome"] != "limited")
    raise Unauthenticated(refusal)


def _network(address: str) -> str:
    """One caller's address; of IPv6 the /64, which one caller has whole."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return f"{parsed.exploded[:19]}::/64" if isinstance(parsed, IPv6Address) else str(parsed)
