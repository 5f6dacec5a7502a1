"""Messages on a queue."""

from typing import Protocol

from atrium.ports import aws


class Queue(Protocol):
    """One queue. Errors: `Unavailable` when it cannot be reached."""

    async def send(self, body: str, *, delay: int = 0) -> None:
        """Put one message; `delay` in seconds, 900 at most."""
        ...

    async def reachable(self) -> None:
        """Return when the queue answers, raise `Unavailable` otherwise (the readiness probe)."""
        ...


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
