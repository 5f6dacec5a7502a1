"""The verbs of a person's login: register, accept an invitation, log in, refresh, log out, who am I."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from atrium.audit import record
from atrium.db import Database, Transaction
from atrium.kernel.clock import now
from atrium.kernel.errors import Conflict, Forbidden, Unauthenticated
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Operator, Principal, PrincipalKind
from atrium.kernel.settings import Settings
from atrium.ledger.models import nano
from atrium.ports.keyring import KeyringSource
from atrium.tenancy import opaque, repository
from atrium.tenancy.admission import Admission, new_principal, rate_of
from atrium.tenancy.models import ApiKey, Caller, Organisation, RateLimits, Session, Tokens, User
from atrium.tenancy.passwords import hash_password, verify_password
from atrium.tenancy.tenants import hold_tenant
from atrium.tenancy.tokens import AccessClaims, TokenCodec

IDLE: Final = timedelta(days=14)
ABSOLUTE: Final = timedelta(days=60)
_WRONG_LOGIN: Final = "The e-mail or the password is wrong."
_WRONG_REFRESH: Final = "The refresh token is not valid any more; log in again."
_WRONG_INVITATION: Final = "The invitation is not valid any more; ask for a new one."
_NO_SESSION: Final = "An API key has no session; delete the key instead."
_TAKEN: Final = "This e-mail address is registered already."


class SessionService:
    """Logins of users. `caller` is where a request without credentials comes from, as the gateway saw it."""

    def __init__(self, database: Database, keyring: KeyringSource, settings: Settings, admission: Admission) -> None:
        self._database = database
        self._keyring = keyring
        self._settings = settings
        self._admission = admission
        self._codec = TokenCodec(settings.token_issuer, settings.token_audience, settings.access_token_ttl)
        self._limits = RateLimits(settings.rate_limit_principal, settings.rate_limit_tenant, settings.rate_limit_public)

    async def register(
        self, *, organisation: str, email: str, password: str, caller: Caller, operator: Operator | None, request_id: str
    ) -> Session:
        """A new organisation with its first admin, logged in.

        Errors: RateLimited; Forbidden where registration is not open and no operator asks; Conflict on a taken e-mail.
        """
        if operator is None:
            await self._admission.throttle(caller, email)
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
            budget=nano(self._settings.default_monthly_budget_usd),
        )
        if not made:
            raise Conflict(_TAKEN)
        return await self._open(new_principal(tenant_id, user_id))

    async def accept(self, *, token: str, password: str, caller: Caller, operator: Operator | None, request_id: str) -> Session:
        """The invited person becomes a user with this password, logged in.

        Errors: RateLimited; Forbidden where registration is closed and no operator asks; Unauthenticated on a token that is
        not (or no longer) good; Conflict when the e-mail has become a user's meanwhile.
        """
        if operator is None:
            await self._admission.throttle(caller)
            if self._settings.registration == "closed":
                raise Forbidden("Registration is closed here.")
        hashed = await hash_password(password)
        row = await repository.accept(self._database, opaque.digest(token), hashed, request_id)
        if row["outcome"] == "taken":
            raise Conflict(_TAKEN)
        if row["outcome"] != "ok":
            raise Unauthenticated(_WRONG_INVITATION)
        return await self._open(new_principal(row["tenant_id"], row["id"]))

    async def login(self, *, email: str, password: str, caller: Caller, request_id: str) -> Session:
        """A session for the right password. Errors: RateLimited, Unauthenticated (the same for unknown and wrong)."""
        row = await repository.login(self._database, email, await self._admission.public_buckets(caller, email))
        caller.rate = rate_of(row, granted=row["granted"])
        if not await verify_password(password, row["password_hash"]):
            await repository.login_failed(self._database, email, request_id)
            raise Unauthenticated(_WRONG_LOGIN)
        principal = new_principal(row["tenant_id"], row["id"])
        return await self._open(principal, password_hash=row["password_hash"], request_id=request_id)

    async def refresh(self, *, refresh_token: str, caller: Caller, request_id: str) -> Session:
        """The session goes on with a new pair of tokens. Errors: RateLimited, Unauthenticated.

        A token used a second time ends the session, and every access token of its user.
        """
        child = opaque.new_token()
        row = await repository.refresh(
            self._database,
            opaque.digest(refresh_token),
            (new_id(), opaque.digest(child)),
            IDLE,
            request_id=request_id,
            buckets=list(await self._admission.public_buckets(caller)),
            limits=self._limits,
        )
        caller.rate = rate_of(row, granted=row["outcome"] != "limited")
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
            raise Forbidden(_NO_SESSION)
        async with self._database.transaction(principal) as tx:
            await hold_tenant(tx)
            other = await repository.session_of_token(tx, principal.id, opaque.digest(refresh_token)) if refresh_token else None
            for family_id in {session_id, other or session_id}:
                if await repository.end_session(tx, principal.id, family_id):
                    await record(tx, action="auth.logged_out", target=f"session:{family_id}", request_id=request_id)

    async def logout_all(self, principal: Principal, *, request_id: str) -> None:
        """End every login of the user, with all refresh and access tokens."""
        if principal.kind is not PrincipalKind.USER:
            raise Forbidden(_NO_SESSION)
        async with self._database.transaction(principal) as tx:
            await hold_tenant(tx)
            await repository.end_access(tx, principal.id)
            await repository.end_sessions(tx, principal.id)
            await record(tx, action="auth.logged_out_everywhere", target=f"user:{principal.id}", request_id=request_id)

    async def me(self, principal: Principal) -> tuple[User | ApiKey, Organisation]:
        """The user or key behind the principal, and its organisation."""
        async with self._database.transaction(principal) as tx:
            organisation = await repository.find_organisation(tx)
            find = repository.find_user if principal.kind is PrincipalKind.USER else repository.find_key
            account = await find(tx, principal.id)
        if account is None or organisation is None:
            raise Unauthenticated("The session has ended.")
        return account, organisation

    async def _open(self, principal: Principal, *, password_hash: str | None = None, request_id: str = "") -> Session:
        """Begin a login. With `password_hash`, the one that was checked: it is audited, and refused if another is there now."""
        family_id, refresh_token = new_id(), opaque.new_token()
        first = (new_id(), opaque.digest(refresh_token))
        async with self._database.transaction(principal) as tx:
            await hold_tenant(tx)
            begun = await repository.begin_session(
                tx, principal.id, first, family_id, idle=IDLE, absolute=ABSOLUTE, password_hash=password_hash
            )
            if not begun:
                raise Unauthenticated(_WRONG_LOGIN)
            user, organisation = await _account(tx, principal.id)
            if password_hash is not None:
                await record(tx, action="auth.logged_in", target=f"session:{family_id}", request_id=request_id)
        return await self._session(user, organisation, family_id, refresh_token)

    async def _session(self, user: User, organisation: Organisation, family_id: UUID, refresh_token: str) -> Session:
        claims = AccessClaims(user.id, user.tenant_id, user.role, user.token_version, family_id)
        access_token = self._codec.issue(await self._keyring.get(), claims, now())
        return Session(Tokens(access_token, refresh_token, self._codec.ttl), user, organisation)


async def _account(tx: Transaction, user_id: UUID) -> tuple[User, Organisation]:
    user = await repository.find_user(tx, user_id)
    organisation = await repository.find_organisation(tx)
    if user is None or organisation is None:
        raise Unauthenticated(_WRONG_LOGIN)
    return user, organisation
