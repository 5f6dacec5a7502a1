"""Database logins without a stored password: IAM tokens, signed here, good for 15 minutes and one new connection."""

from collections.abc import Awaitable, Callable

from atrium.ports import aws


def iam_password(host: str, port: int) -> Callable[[str], Awaitable[str]]:
    """A source of passwords for one Aurora endpoint: given a role's name, a fresh token. No network is involved."""

    async def token(role: str) -> str:
        def sign() -> str:
            return str(aws.client("rds").generate_db_auth_token(DBHostname=host, Port=port, DBUsername=role))

        return await aws.call("database login", sign) or ""

    return token
