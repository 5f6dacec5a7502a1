"""Messages on a queue."""

from typing import Protocol


class Queue(Protocol):
    """One queue. Errors: `Unavailable` when it cannot be reached."""

    async def send(self, body: str, *, delay: int = 0) -> None:
        """Put one message; `delay` in seconds, 900 at most."""
        ...

    async def reachable(self) -> None:
        """Return when the queue answers, raise `Unavailable` otherwise (the readiness probe)."""
        ...
