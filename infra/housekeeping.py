"""What runs by the clock: EventBridge Scheduler invokes `housekeeping` and `indexing`, under roles that may do that alone."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.acknowledgments import acknowledge
from infra.functions import Functions
from infra.queues import dead_letter_queue
from infra.settings import PREFIX, Settings

_HOURLY = Duration.hours(1)
# An invocation that could not be delivered for so long is not worth it: the next one does the same.
_WORTH = Duration.minutes(30)
_RETRIES = 2


class Housekeeping(Construct):
    """The schedules and where an invocation ends that could not be delivered."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings, functions: Functions) -> None:
        super().__init__(scope, name)
        self._functions = functions
        self._undelivered = dead_letter_queue(self, "DeadLetters")
        acknowledge(self._undelivered, "It is a dead-letter queue itself: that of the schedules.", "AwsSolutions-SQS3")
        self._roles = {function: self._role(function) for function in ("housekeeping", "indexing")}
        often = Duration.minutes(settings.sweep_interval)
        self._schedule("Sweep", often, "housekeeping", "Documents that are stuck, and what deleted ones left", task="sweep")
        self._schedule("Erase", often, "housekeeping", "Tenants that are being erased", task="erase")
        self._schedule("Seal", often, "housekeeping", "Entries of the audit log that no chain holds yet", task="seal")
        self._schedule("Expire", _HOURLY, "housekeeping", "What has had its time", task="expire")
        self._schedule("Index", _HOURLY, "indexing", "Vector indexes of large tenants")

    @property
    def dead_letters(self) -> dict[str, sqs.Queue]:
        """Name → queue of invocations that could not be delivered."""
        return {"Housekeeping": self._undelivered}

    def _role(self, function: str) -> iam.IRole:
        """Whoever schedules a function may invoke it, and nothing else."""
        role = iam.Role(
            self,
            f"{function.capitalize()}Role",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
            ),
            description=f"Invokes Atrium's {function} function by schedule",
        )
        for action, resource in {
            "lambda:InvokeFunction": self._functions[function].function_arn,
            "sqs:SendMessage": self._undelivered.queue_arn,
        }.items():
            role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[resource]))
        # The CDK's target would add every version and alias of the function.
        return role.without_policy_updates()

    def _schedule(self, name: str, every: Duration, function: str, purpose: str, **event: str) -> None:
        target = targets.LambdaInvoke(
            self._functions[function],
            role=self._roles[function],
            input=scheduler.ScheduleTargetInput.from_object(event),
            dead_letter_queue=self._undelivered,
            max_event_age=_WORTH,
            retry_attempts=_RETRIES,
        )
        scheduler.Schedule(
            self,
            name,
            schedule_name=f"{PREFIX}-{name.lower()}",
            description=purpose,
            schedule=scheduler.ScheduleExpression.rate(every),
            target=target,
        )
