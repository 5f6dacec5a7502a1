"""A queue is never alone: what fails five times waits two weeks in its dead-letter queue, where an alarm sees it."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

_ATTEMPTS = 5


def dead_letter_queue(scope: Construct, name: str) -> sqs.Queue:
    """Where a message waits two weeks for somebody to look."""
    return sqs.Queue(
        scope,
        name,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(14),
    )


class QueueWithDeadLetters(Construct):
    """Encrypted, TLS only. `visibility`: six times its consumer's timeout."""

    def __init__(self, scope: Construct, name: str, *, visibility: Duration) -> None:
        super().__init__(scope, name)
        self.dead_letters = dead_letter_queue(self, "DeadLetters")
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            visibility_timeout=visibility,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=_ATTEMPTS),
        )
