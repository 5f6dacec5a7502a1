"""`Idempotency-Key`: the same request sent twice does its work once and gets the same answer.

A request moves so:  (no row) ──claim──> running ──finish──> finished ──24 h──> gone
                                  running ──refused (4xx)──> (no row)
                                  running ──failed (5xx), crashed──> lease over ──claim of a retry──> running
The row is committed before the work, with the id of what the work will make; a retry that takes over works under
the same id, so a service that writes under the ids it is given never makes a thing twice.
"""

import hmac
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Request, params
from starlette.responses import Response, StreamingResponse

from atrium.db import Database, Transaction
from atrium.kernel.errors import Conflict, FieldError, IdempotencyMismatch, InvalidFields
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal
from atrium.web import repository
from atrium.web.auth import operator_of
from atrium.web.bodies import StrictRequest
from atrium.web.problems import is_refusal
from atrium.web.repository import KeyName, Lease

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
REDACTED: Final = "[shown once]"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_REFUSALS: Final = range(400, 500)
_KEPT_HEADERS: Final = ("content-type", "location", "x-atrium-ignored")
# Bytes of a reply. A longer one (vectors) is not stored: its retry does the work again.
_LARGEST: Final = 1_000_000
# Beyond the function's own timeout: a frozen or dying container is surely over by then.
_GRACE: Final = 5


@dataclass(frozen=True, slots=True)
class Claim:
    """What a route works under. `resource_id` is the id of what it makes, the same for every retry of the request."""

    resource_id: UUID


async def claimed(request: Request) -> Claim:
    """The claim of this request; without an `Idempotency-Key` a fresh id."""
    claim: Claim | None = getattr(request.state, "claim", None)
    return claim or Claim(new_id())


Idempotent = Annotated[Claim, Depends(claimed)]
"""`claim: Idempotent` in a POST route that makes something: make it under `claim.resource_id`."""


class Redacted:
    """Marks the fields of a reply that are shown once: a replay has `[shown once]` there."""

    def __init__(self, *fields: str) -> None:
        self.fields = fields

    def __call__(self) -> None:
        """Nothing to do at request time: the route class reads the mark."""


def redacted(*fields: str) -> params.Depends:
    """In a route's `dependencies=[…]`: these top-level fields of the reply are never stored."""
    return params.Depends(Redacted(*fields))


async def once(
    request: StrictRequest, route: str, redact: tuple[str, ...], work: Callable[[StrictRequest], Awaitable[Response]]
) -> Response:
    """Do `work`, or replay what it came to. Errors: Conflict while it runs, IdempotencyMismatch on another body."""
    text = request.headers.get(HEADER)
    if text is None or operator_of(request) is not None:
        return await work(request)
    if not _KEY.fullmatch(text):
        raise InvalidFields((FieldError("/header/Idempotency-Key", "must be 1 to 255 visible ASCII characters"),))
    state = request.app.state
    principal: Principal = request.state.principal
    keeper = _Keeper(state.runtime.database, principal, KeyName(principal.subject, route, text))
    fingerprints = await _fingerprints(request)
    lease = await keeper.claim(fingerprints, timedelta(seconds=state.timeout + _GRACE))
    if isinstance(lease, Response):
        return lease
    request.state.claim = Claim(lease.resource_id)
    return await _work(keeper, lease, redact, lambda: work(request))


async def _fingerprints(request: StrictRequest) -> tuple[bytes, ...]:
    """MACs of what is asked, by the newest key first: a plain hash of a body with a password would be a way to guess it.

    By every key that is there, so that a rotation does not part a retry from its request.
    """
    digest = await request.fingerprint()
    keys = (await request.app.state.runtime.keyring.get()).pepper
    return tuple(hmac.digest(key.key, b"idempotency:" + digest, "sha256") for key in keys)


async def _work(keeper: "_Keeper", lease: Lease, redact: tuple[str, ...], work: Callable[[], Awaitable[Response]]) -> Response:
    finished = False
    try:
        response = await work()
        finished = await keeper.settle(lease, response, redact)
    except Exception as error:
        # Any error may be a refusal (ours, the framework's, the validation's); it goes on to its handler either way.
        if is_refusal(error):
            await keeper.forget(lease)
            finished = True
        raise
    finally:
        # Whatever else happened, also a cancellation: a retry need not wait for the lease.
        if not finished:
            await keeper.release(lease)
    return response


class _Keeper:
    """One key's row, in transactions of its own."""

    def __init__(self, database: Database, principal: Principal, name: KeyName) -> None:
        self._database = database
        self._principal = principal
        self._name = name

    async def claim(self, fingerprints: tuple[bytes, ...], lease: timedelta) -> Lease | Response:
        """The right to work, or the stored response."""
        async with self._database.transaction(self._principal) as tx:
            lease_or_none = await repository.claim(tx, self._name, fingerprints, new_id(), lease)
            return lease_or_none or await self._replay(tx, fingerprints)

    async def settle(self, lease: Lease, response: Response, redact: tuple[str, ...]) -> bool:
        """Store a success, forget a refusal and what is too long; False on a failure, which a retry repeats."""
        long = isinstance(response, StreamingResponse) or len(response.body) > _LARGEST
        if long or response.status_code in _REFUSALS:
            await self.forget(lease)
            return True
        if response.status_code >= _REFUSALS.stop:
            return False
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        body = _without(bytes(response.body), redact)
        async with self._database.transaction(self._principal) as tx:
            await repository.finish(tx, self._name, lease, response.status_code, headers, body)
        return True

    async def forget(self, lease: Lease) -> None:
        """Free the key."""
        async with self._database.transaction(self._principal) as tx:
            await repository.forget(tx, self._name, lease)

    async def release(self, lease: Lease) -> None:
        """Let a retry take over."""
        async with self._database.transaction(self._principal) as tx:
            await repository.release(tx, self._name, lease)

    async def _replay(self, tx: Transaction, fingerprints: tuple[bytes, ...]) -> Response:
        stored = await repository.find(tx, self._name)
        if stored is None or (stored.fingerprint in fingerprints and not stored.finished):
            raise Conflict("A request with this Idempotency-Key is running; try again later.")
        if stored.fingerprint not in fingerprints:
            raise IdempotencyMismatch("This Idempotency-Key was used with a different request.")
        return Response(stored.body, stored.status, {**stored.headers, REPLAYED: "true"})


def _without(body: bytes, fields: tuple[str, ...]) -> bytes:
    if not fields:
        return body
    document = json.loads(body)
    shown = [name for name in fields if document.get(name) is not None]
    return json.dumps(document | dict.fromkeys(shown, REDACTED)).encode()
