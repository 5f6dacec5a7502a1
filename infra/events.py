"""Domain events: rows are written with the change, a message on the outbox-wake queue says that there are some."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.queues import QueueWithDeadLetters
from infra.settings import PREFIX


class Events(Construct):
    """The bus that deployers attach rules to, and the queue that wakes the relay to it."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        self.bus = events.EventBus(self, "Bus", event_bus_name=PREFIX)
        self._wake = QueueWithDeadLetters(self, "OutboxWake", visibility=Duration.minutes(3))

    @property
    def outbox_queue(self) -> sqs.Queue:
        """Where a function tells that outbox rows wait."""
        return self._wake.queue

    @property
    def dead_letters(self) -> dict[str, sqs.Queue]:
        """Name → queue of messages that nobody could handle."""
        return {"OutboxWake": self._wake.dead_letters}
