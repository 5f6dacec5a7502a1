"""Who asks, what it may cost, and room for it: in one database call for a key that was here before."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from atrium.gateway.metering import Ledger, given_back, reserve
from atrium.kernel.errors import AtriumError, Unauthenticated
from atrium.kernel.principal import Principal
from atrium.ledger.models import Outcome, Reservation, Settlement, Spend
from atrium.tenancy.keys import PREFIX, parse_key
from atrium.tenancy.permissions import Permission, check
from atrium.web.auth import authenticate, credentials_of
from atrium.web.bodies import StrictRequest

# Keys whose tenants are known at a time.
_MOST: Final = 10_000
# Bytes of a body that is read before its key was looked up, because that key was here before.
_SMALL: Final = 64 * 1024


class Planned(Protocol):
    """What a body comes to."""

    def spend(self, request_id: str) -> Spend:
        """What is to be reserved for it."""
        ...


@dataclass(frozen=True, slots=True)
class Entered[P]:
    """A request that may go out."""

    principal: Principal
    planned: P
    reservation: Reservation


class Door:
    """One per application."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: OrderedDict[bytes, Principal] = OrderedDict()

    async def enter[P: Planned](self, request: StrictRequest, plan: Callable[[Principal], Awaitable[P]]) -> Entered[P]:
        """Admit the request and reserve what it costs. `plan` reads it, for the tenant that the key was of when last seen.

        Whoever may not ask learns nothing but that: what is wrong with a request is told after its key was checked. Nor is work
        done for them: only a small request whose whole key was here before is read before the database is asked.
        """
        key = digest_of(request)
        principal = self._known.get(key)
        if principal is None or not _is_small(request):
            return await self._at_first(request, plan)
        try:
            check(principal, Permission.LLM_USE)
            planned = await plan(principal)
        except AtriumError:
            await self.admit(request)
            raise
        spend = planned.spend(request.state.request_id)
        admitted = await given_back(self._ledger, principal, spend, authenticate(request, spend))
        assert admitted.reservation is not None
        if admitted.principal != principal:
            self._known.pop(key, None)
            await self._check(admitted.principal, admitted.reservation, spend.model)
        return Entered(admitted.principal, planned, admitted.reservation)

    async def admit(self, request: StrictRequest) -> Principal:
        """Admit the request alone, and remember its key."""
        admitted = await authenticate(request)
        check(admitted.principal, Permission.LLM_USE)
        if admitted.session_id is None:
            self._remember(digest_of(request), admitted.principal)
        return admitted.principal

    async def reserve[P: Planned](self, request: StrictRequest, principal: Principal, planned: P) -> Entered[P]:
        """Room for what an admitted request costs."""
        reservation = await reserve(self._ledger, principal, planned.spend(request.state.request_id))
        return Entered(principal, planned, reservation)

    async def _at_first[P: Planned](self, request: StrictRequest, plan: Callable[[Principal], Awaitable[P]]) -> Entered[P]:
        principal = await self.admit(request)
        return await self.reserve(request, principal, await plan(principal))

    async def _check(self, principal: Principal, reservation: Reservation, model: str) -> None:
        """Its key's rights have changed; what it reserved goes back if it may not ask any more."""
        try:
            check(principal, Permission.LLM_USE)
        except AtriumError:
            await self._ledger.settle(principal, reservation.id, Settlement(Outcome.FAILED, 0, model))
            raise

    def _remember(self, key: bytes, principal: Principal) -> None:
        self._known[key] = principal
        while len(self._known) > _MOST:
            self._known.popitem(last=False)


def digest_of(request: StrictRequest) -> bytes:
    """Of the request's whole API key; empty where it has an access token. Unauthenticated where the key's form or checksum is
    wrong: then not even its body is read.
    """
    text = credentials_of(request)
    if not text.startswith(PREFIX):
        return b""
    if parse_key(text) is None:
        raise Unauthenticated("The API key is not valid.")
    return sha256(text.encode()).digest()


def _is_small(request: StrictRequest) -> bool:
    told = request.headers.get("content-length", "")
    return told.isascii() and told.isdigit() and int(told[:19]) <= _SMALL
