"""Secrets by name."""

from typing import Protocol


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
