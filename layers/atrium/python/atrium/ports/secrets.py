"""Secrets by name."""

from typing import Protocol

from atrium.kernel.errors import NotFound
from atrium.ports import aws


class Secrets(Protocol):
    """Errors: `NotFound` for an absent secret, `Unavailable` when the store cannot be reached."""

    async def get(self, name: str) -> str:
        """The current value."""
        ...

    async def create(self, name: str, value: str) -> bool:
        """Create the secret; False, and nothing changed, when it exists."""
        ...

    async def put(self, name: str, value: str) -> None:
        """Replace the current value."""
        ...


class SecretsManagerSecrets:
    """`Secrets` on AWS Secrets Manager."""

    async def get(self, name: str) -> str:
        """See `Secrets.get`."""

        def read() -> str:
            return str(aws.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])

        value = await aws.call("secret store", read, absent=("ResourceNotFoundException",))
        if value is None:
            raise NotFound(f"no secret {name}")
        return value

    async def create(self, name: str, value: str) -> bool:
        """See `Secrets.create`."""

        def write() -> bool:
            aws.client("secretsmanager").create_secret(Name=name, SecretString=value)
            return True

        return bool(await aws.call("secret store", write, absent=("ResourceExistsException",), default=False))

    async def put(self, name: str, value: str) -> None:
        """See `Secrets.put`."""

        def write() -> None:
            aws.client("secretsmanager").put_secret_value(SecretId=name, SecretString=value)

        await aws.call("secret store", write)
