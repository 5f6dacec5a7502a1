"""From an object in the bucket to a started pipeline: S3 → EventBridge → SQS → the `ingest` function → Step Functions."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.areas import function
from infra.functions import Functions
from infra.queues import QueueWithDeadLetters
from infra.settings import Settings

_PREFIXES = ("drop/", "uploads/")
_BATCH = 10


class Ingestion(Construct):
    """The queue of new objects and what fills and empties it."""

    def __init__(self, scope: Construct, name: str, *, bucket: s3.Bucket, settings: Settings) -> None:
        super().__init__(scope, name)
        self._waiting = QueueWithDeadLetters(self, "Ingest", visibility=Duration.seconds(6 * function("ingest").timeout))
        events.Rule(
            self,
            "ObjectCreated",
            description="New objects in the drop folder and from uploads wait for ingestion",
            event_pattern=_objects(bucket, "Object Created", _PREFIXES),
            targets=[targets.SqsQueue(self.queue, dead_letter_queue=self._waiting.dead_letters)],
        )
        if settings.drop_delete == "mirror":
            events.Rule(
                self,
                "ObjectDeleted",
                description="Files deleted from the drop folder take their documents along",
                event_pattern=_objects(bucket, "Object Deleted", ("drop/",)),
                targets=[targets.SqsQueue(self.queue, dead_letter_queue=self._waiting.dead_letters)],
            )

    @property
    def queue(self) -> sqs.Queue:
        """New objects, as EventBridge events."""
        return self._waiting.queue

    @property
    def dead_letters(self) -> dict[str, sqs.Queue]:
        """Name → queue of events that could not be handled."""
        return {"Ingest": self._waiting.dead_letters}

    def feed(self, functions: Functions, settings: Settings) -> None:
        """Let `ingest` take events off the queue, and `system` see how much waits there, and what could not be handled."""
        functions["ingest"].add_event_source(
            sources.SqsEventSource(
                self.queue,
                batch_size=_BATCH,
                report_batch_item_failures=True,
                max_concurrency=settings.ingest_concurrency,
            )
        )
        functions["system"].add_to_role_policy(
            iam.PolicyStatement(
                actions=["sqs:GetQueueAttributes"], resources=[self.queue.queue_arn, self._waiting.dead_letters.queue_arn]
            )
        )


def _objects(bucket: s3.Bucket, what: str, prefixes: tuple[str, ...]) -> events.EventPattern:
    return events.EventPattern(
        source=["aws.s3"],
        detail_type=[what],
        detail={
            "bucket": {"name": [bucket.bucket_name]},
            "object": {"key": [{"prefix": prefix} for prefix in prefixes]},
        },
    )
