"""The verbs of a person's login: register, log in, refresh, log out, who am I."""

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from atrium.audit import record
from atrium.db import Database, Transaction
from atrium.kernel.clock import now
from atrium.kernel.errors import Conflict, Forbidden, Unauthenticated
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Operator, Principal, PrincipalKind
from atrium.kernel.settings import Settings
from atrium.ports.keyring import KeyringSource
from atrium.tenancy import repository
from atrium.tenancy.admission import Admission, new_principal, rate_of
from atrium.tenancy.models import ApiKey, Organisation, RateLimits, Session, Tokens, User
from atrium.tenancy.passwords import hash_password, verify_password
from atrium.tenancy.tokens import AccessClaims, TokenCodec

IDLE: Final = timedelta(days=14)
ABSOLUTE: Final = timedelta(days=60)
_REFRESH_BYTES: Final = 32
_WRONG_LOGIN: Final = "The e-mail or the password is wrong."
_WRONG_REFRESH: Final = "The refresh token is not valid any more; log in again."


class SessionService:
    """Logins of users. `address` is the caller's network address as the gateway saw it."""

    def __init__(self, database: Database, keyring: KeyringSource, settings: Settings, admission: Admission) -> None:
        self._database = database
        self._keyring = keyring
        self._settings = settings
        self._admission = admission
        self._codec = TokenCodec(settings.token_issuer, settings.token_audience, settings.access_token_ttl)
        self._limits = RateLimits(settings.rate_limit_principal, settings.rate_limit_tenant, settings.rate_limit_public)

    async def register(
        self, *, organisation: str, email: str, password: str, address: str, operator: Operator | None, request_id: str
    ) -> Session:
        """A new organisation with its first admin, logged in.

        Errors: RateLimited; Forbidden where registration is not open and no operator asks; Conflict on a taken e-mail.
        """
        if operator is None:
            await self._admission.throttle(address, email)
            if self._settings.registration != "open":
                how = "by invitation" if self._settings.registration == "invite" else "closed"
                raise Forbidden(f"Registration is {how} here.")
        tenant_id, user_id = new_id(), new_id()
        made = await repository.register(
            self._database,
            tenant_id=tenant_id,
            name=organisation,
            user_id=user_id,
            email=email,
            password_hash=await hash_password(password),
            actor=f"operator:{operator.key_id}" if operator else f"user:{user_id}",
            request_id=request_id,
        )
        if not made:
            raise Conflict("This e-mail address is registered already.")
        async with self._database.transaction(new_principal(tenant_id, user_id)) as tx:
            family_id, refresh_token = await _begin(tx, user_id)
            user, found = await _account(tx, user_id)
        return await self._session(user, found, family_id, refresh_token)

    async def login(self, *, email: str, password: str, address: str, request_id: str) -> Session:
        """A session for the right password. Errors: RateLimited, Unauthenticated (the same for unknown and wrong)."""
        buckets = await self._admission.public_buckets(address, email)
        row = await repository.login(self._database, email, buckets, self._limits)
        rate_of(row, granted=row["granted"])
        if not await verify_password(password, row["password_hash"]):
            await repository.login_failed(self._database, email, request_id)
            raise Unauthenticated(_WRONG_LOGIN)
        async with self._database.transaction(new_principal(row["tenant_id"], row["id"])) as tx:
            family_id, refresh_token = await _begin(tx, row["id"])
            user, organisation = await _account(tx, row["id"])
            await record(tx, action="auth.logged_in", target=f"session:{family_id}", request_id=request_id)
        return await self._session(user, organisation, family_id, refresh_token)

    async def refresh(self, *, refresh_token: str, address: str, request_id: str) -> Session:
        """The session goes on with a new pair of tokens. Errors: RateLimited, Unauthenticated.

        A token used a second time ends the session, and every access token of its user.
        """
        child = _new_refresh_token()
        row = await repository.refresh(
            self._database,
            _digest(refresh_token),
            (new_id(), _digest(child)),
            IDLE,
            request_id=request_id,
            buckets=await self._admission.public_buckets(address),
            limits=self._limits,
        )
        rate_of(row, granted=row["outcome"] != "limited")
        if row["outcome"] != "ok":
            raise Unauthenticated(_WRONG_REFRESH)
        async with self._database.transaction(new_principal(row["tenant_id"], row["id"])) as tx:
            user, organisation = await _account(tx, row["id"])
            await record(tx, action="auth.refreshed", target=f"session:{row['family_id']}", request_id=request_id)
        return await self._session(user, organisation, row["family_id"], child)

    async def logout(
        self, principal: Principal, session_id: UUID | None, *, refresh_token: str | None = None, request_id: str = ""
    ) -> None:
        """End the login that the access token comes from, and that of `refresh_token` where it is another of the user's."""
        if session_id is None:
            raise Forbidden("An API key has no session; delete the key instead.")
        async with self._database.transaction(principal) as tx:
            other = await repository.session_of_token(tx, principal.id, _digest(refresh_token)) if refresh_token else None
            for family_id in {session_id, other or session_id}:
                if await repository.end_session(tx, principal.id, family_id):
                    await record(tx, action="auth.logged_out", target=f"session:{family_id}", request_id=request_id)

    async def me(self, principal: Principal) -> tuple[User | ApiKey, Organisation]:
        """The user or key behind the principal, and its organisation."""
        async with self._database.transaction(principal) as tx:
            organisation = await repository.find_organisation(tx)
            find = repository.find_user if principal.kind is PrincipalKind.USER else repository.find_key
            account = await find(tx, principal.id)
        if account is None or organisation is None:
            raise Unauthenticated("The session has ended.")
        return account, organisation

    async def _session(self, user: User, organisation: Organisation, family_id: UUID, refresh_token: str) -> Session:
        claims = AccessClaims(user.id, user.tenant_id, user.role, user.token_version, family_id)
        access_token = self._codec.issue(await self._keyring.get(), claims, now())
        return Session(Tokens(access_token, refresh_token, self._codec.ttl), user, organisation)


async def _begin(tx: Transaction, user_id: UUID) -> tuple[UUID, str]:
    """Store a login's first refresh token: the family's id and the token."""
    family_id, refresh_token = new_id(), _new_refresh_token()
    await repository.begin_session(tx, user_id, (new_id(), _digest(refresh_token)), family_id, idle=IDLE, absolute=ABSOLUTE)
    return family_id, refresh_token


async def _account(tx: Transaction, user_id: UUID) -> tuple[User, Organisation]:
    user = await repository.find_user(tx, user_id)
    organisation = await repository.find_organisation(tx)
    if user is None or organisation is None:
        raise Unauthenticated(_WRONG_LOGIN)
    return user, organisation


def _new_refresh_token() -> str:
    return secrets.token_urlsafe(_REFRESH_BYTES)


def _digest(refresh_token: str) -> bytes:
    return sha256(refresh_token.encode()).digest()
