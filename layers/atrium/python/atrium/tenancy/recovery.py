"""The verbs of a user's password: change it, forget it, reset it."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from datetime import timedelta
from typing import Final
from uuid import UUID

from atrium.audit import record
from atrium.db import Database
from atrium.kernel.errors import Conflict, FieldError, Forbidden, InvalidFields, Unauthenticated
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.ports.mail import Mail
from atrium.tenancy import letters, opaque, repository
from atrium.tenancy.admission import Admission
from atrium.tenancy.models import Caller
from atrium.tenancy.passwords import hash_password, verify_password
from atrium.tenancy.tenants import hold_tenant

RESET_LIFE: Final = timedelta(hours=1)
# Longer than the look-up takes, and as a rule SES to accept a mail: within it nobody sees whether there was one to send.
ANSWER_SECONDS: Final = 1.5
_WRONG_TOKEN: Final = "The reset token is not valid any more; ask for a new one."  # noqa: S105  a sentence
_log: Final = logging.getLogger(__name__)
_under_way: Final[set[asyncio.Task[None]]] = set()


class PasswordService:
    """Passwords of users. `caller` is where a request comes from, as the gateway saw it."""

    def __init__(
        self, database: Database, settings: Settings, admission: Admission, *, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self._database = database
        self._settings = settings
        self._admission = admission
        self._answer_seconds = answer_seconds

    async def change(
        self, principal: Principal, session_id: UUID | None, *, current: str, new: str, caller: Caller, request_id: str
    ) -> None:
        """Another password, for who knows the current one; every other session of the user ends at once.

        Errors: Forbidden for an API key, RateLimited as a login is, InvalidFields on a wrong current password, Conflict
        when it was changed at the same moment.
        """
        if session_id is None:
            raise Forbidden("An API key has no password.")
        async with self._database.transaction(principal) as tx:
            found = await repository.find_password(tx, principal.id)
        if found is None:
            raise Unauthenticated("The session has ended.")
        email, stored = found
        await self._admission.throttle(caller, email)
        target = f"user:{principal.id}"
        if not await verify_password(current, stored):
            async with self._database.transaction(principal) as tx:
                await record(tx, action="auth.password_change_failed", target=target, request_id=request_id)
            raise InvalidFields((FieldError("/current_password", "is not the current password"),))
        hashed = await hash_password(new)
        async with self._database.transaction(principal) as tx:
            await hold_tenant(tx)
            if not await repository.change_password(tx, principal.id, old=stored, new=hashed):
                raise Conflict("The password was changed at the same moment.")
            await repository.end_sessions(tx, principal.id, keep=session_id)
            await record(tx, action="auth.password_changed", target=target, request_id=request_id)

    async def forget(self, *, email: str, mail: Mail | None, caller: Caller, request_id: str) -> str | None:
        """A reset token for the user of an e-mail: mailed, or without `mail` returned.

        Nobody learns whether the e-mail is a user's: it is throttled all the same; the returned token is one in any case, only
        perhaps nobody's; and where mails are sent the answer comes after a fixed time. The mail is sent meanwhile: one that
        fails is logged and not told, one that takes longer goes on beside the next request. Errors: RateLimited.
        """
        await self._admission.throttle(caller, email)
        await self._admission.throttle_resets(email)
        token = opaque.new_token()
        if mail is None:
            await repository.forgot(self._database, email, opaque.digest(token), RESET_LIFE, request_id)
            return token
        answer_at = time.monotonic() + self._answer_seconds
        if await repository.forgot(self._database, email, opaque.digest(token), RESET_LIFE, request_id):
            _beside(self._send(mail, email, token))
        await asyncio.sleep(answer_at - time.monotonic())
        return None

    async def reset(self, *, token: str, password: str, caller: Caller, request_id: str) -> None:
        """Use a reset token for a new password; every session of the user ends. Errors: RateLimited, Unauthenticated."""
        await self._admission.throttle(caller)
        # Before the token is looked up: a wrong one costs the same.
        hashed = await hash_password(password)
        if not await repository.reset(self._database, opaque.digest(token), hashed, request_id):
            raise Unauthenticated(_WRONG_TOKEN)

    async def _send(self, mail: Mail, email: str, token: str) -> None:
        try:
            await mail.send(email, *letters.password_reset(token, self._settings.public_url))
        except Exception as error:  # noqa: BLE001  whatever it is, the answer must not tell that there was somebody to mail to
            # No text and no traceback: what the carrier says may name the recipient.
            _log.error("a reset mail was not sent", extra={"error": type(error).__name__})


def _beside(work: Coroutine[None, None, None]) -> None:
    """Let it run while the request goes on; a task that nobody holds may vanish."""
    task = asyncio.create_task(work)
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
