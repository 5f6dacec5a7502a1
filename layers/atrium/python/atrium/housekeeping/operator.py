"""Is it the operator? Asked without the keyring: the operator's key is 256 random bits, so its plain digest tells."""

from hashlib import sha256
from typing import Final

from atrium.db import Database
from atrium.housekeeping import repository
from atrium.kernel.errors import RateLimited, Unauthenticated
from atrium.kernel.principal import Operator
from atrium.tenancy.keys import parse_key

_NOT_THE_OPERATOR: Final = "This takes the operator's key."


class OperatorDoor:
    """Admits the deployment's operator. `per_minute`: wrong keys that are looked up, of all callers together."""

    def __init__(self, database: Database, per_minute: int) -> None:
        self._database = database
        self._per_minute = per_minute

    async def admit(self, text: str | None) -> Operator:
        """The operator of the key in `text`. Errors: Unauthenticated, RateLimited, Unavailable."""
        key = parse_key(text) if text else None
        if key is None:
            raise Unauthenticated(_NOT_THE_OPERATOR)
        digest = sha256(key.text.encode()).digest()
        row = await repository.admit_operator(self._database, key.key_id, digest, per_minute=self._per_minute)
        if row["outcome"] == "limited":
            raise RateLimited(row["retry_after"], int(row["capacity"]), "Too many requests; wait, then try again.")
        if row["outcome"] != "ok":
            raise Unauthenticated(_NOT_THE_OPERATOR)
        return Operator(key.key_id, digest)
