"""Messages on a queue."""

from dataclasses import dataclass
from typing import Protocol

from atrium.ports import aws


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """About how many messages wait, are being worked on, and are not due yet."""

    waiting: int
    in_flight: int
    delayed: int


class Queue(Protocol):
    """One queue. Errors: `Unavailable` when it cannot be reached."""

    async def send(self, body: str, *, delay: int = 0) -> None:
        """Put one message; `delay` in seconds, 900 at most."""
        ...

    async def reachable(self) -> None:
        """Return when the queue answers, raise `Unavailable` otherwise (the readiness probe)."""
        ...

    async def depth(self) -> QueueDepth:
        """How many messages it holds, about."""
        ...


_COUNTS = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
]


class SqsQueue:
    """`Queue` on SQS."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def send(self, body: str, *, delay: int = 0) -> None:
        """See `Queue.send`."""

        def send() -> None:
            aws.client("sqs").send_message(QueueUrl=self._url, MessageBody=body, DelaySeconds=delay)

        await aws.call("queue", send)

    async def reachable(self) -> None:
        """See `Queue.reachable`."""

        def ask() -> None:
            aws.client("sqs").get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])

        await aws.call("queue", ask)

    async def depth(self) -> QueueDepth:
        """See `Queue.depth`."""

        def ask() -> QueueDepth:
            found = aws.client("sqs").get_queue_attributes(QueueUrl=self._url, AttributeNames=_COUNTS)["Attributes"]
            return QueueDepth(*(int(found.get(name, 0)) for name in _COUNTS))

        return await aws.call("queue", ask) or QueueDepth(0, 0, 0)
