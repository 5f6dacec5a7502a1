"""Long work with steps, retried and resumed by a state machine."""

from typing import Protocol


class Workflow(Protocol):
    """One state machine. Errors: `Unavailable` when it cannot be reached."""

    async def start(self, name: str, payload: dict[str, object]) -> bool:
        """Start an execution named `name`; False when one of that name runs or ran with the same input already."""
        ...
