"""Long work with steps, retried and resumed by a state machine."""

import json
from typing import Protocol

from atrium.ports import aws


class Workflow(Protocol):
    """One state machine. Errors: `Unavailable` when it cannot be reached."""

    async def start(self, name: str, payload: dict[str, object]) -> bool:
        """Start an execution named `name`, once: while it runs a second call changes nothing; False when it has ended already."""
        ...


class StepFunctionsWorkflow:
    """`Workflow` on a standard state machine, whose execution names stay taken for 90 days."""

    def __init__(self, arn: str) -> None:
        self._arn = arn

    async def start(self, name: str, payload: dict[str, object]) -> bool:
        """See `Workflow.start`."""

        def start() -> bool:
            aws.client("stepfunctions").start_execution(stateMachineArn=self._arn, name=name, input=json.dumps(payload))
            return True

        return bool(await aws.call("workflow", start, absent=("ExecutionAlreadyExists",), default=False))
