"""What a deploy needs before any other function may run. Every step can run again, also after half of it."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from atrium.db.migrations import MigrationRefused
from atrium.db.migrator import Migrator, Space
from atrium.kernel.errors import NotFound
from atrium.kernel.settings import Settings
from atrium.ports.keyring import Keyring, new_keyring
from atrium.ports.secrets import Secrets
from atrium.tenancy.keys import ApiKeyText, key_mac, new_key, parse_key
from atrium.tenancy.tokens import jwks


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did: migrations that it applied, the spaces there are, the public part of the operator's key."""

    applied: tuple[str, ...]
    spaces: tuple[str, ...]
    operator_key_id: str


async def prepare(settings: Settings, secrets: Secrets, migrator: Migrator, spaces: Iterable[Space]) -> Report:
    """Run every step. Errors: MigrationRefused, Unavailable; psycopg's own for a migration that is wrong."""
    await migrator.bootstrap(*await _master_login(settings, secrets))
    applied = await migrator.migrate()
    declared = tuple(spaces)
    await migrator.declare_spaces(declared)
    keyring = Keyring.from_json(await _secret(secrets, settings.keyring_secret, new_keyring))
    operator = await _operator_key(secrets, settings.operator_secret)
    pepper = keyring.pepper[0]
    digest = sha256(operator.text.encode()).digest()
    await migrator.set_operator_key(key_id=operator.key_id, mac=key_mac(pepper, operator), pepper_kid=pepper.kid, digest=digest)
    await _publish_keys(secrets, settings.jwks_secret, keyring)
    return Report(tuple(applied), tuple(space.model for space in declared), operator.key_id)


async def _master_login(settings: Settings, secrets: Secrets) -> tuple[str, str]:
    """RDS's own secret, which RDS rotates; without one, this function's own login is the master's."""
    if not settings.database_master_secret:
        return settings.database_user, settings.database_password
    login: dict[str, Any] = json.loads(await secrets.get(settings.database_master_secret))
    return str(login["username"]), str(login["password"])


async def _publish_keys(secrets: Secrets, name: str, keyring: Keyring) -> None:
    """The public half of the signing keys, for `system`, which holds no key."""
    published = json.dumps(jwks(keyring))
    if await _secret(secrets, name, lambda: published) != published:
        await secrets.put(name, published)


async def _operator_key(secrets: Secrets, name: str) -> ApiKeyText:
    key = parse_key((await _secret(secrets, name, lambda: new_key().text)).strip())
    if key is None:
        raise MigrationRefused(f"the secret {name} holds no operator key: delete it, and the next deploy makes a new one")
    return key


async def _secret(secrets: Secrets, name: str, make: Callable[[], str]) -> str:
    """The secret, made when absent. Of two runs at once both end with the value of the one that was first."""
    try:
        return await secrets.get(name)
    except NotFound:
        await secrets.create(name, make())
    return await secrets.get(name)
