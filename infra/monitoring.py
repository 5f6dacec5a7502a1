"""What wakes somebody: dead letters, documents that failed through us or do not end, failing functions, an API that answers 5xx.

A document that cannot be read is its owner's affair: its step raises, so its Lambda and its execution count an error, and no
alarm looks at those. What is ours stands in log lines, which metric filters count here.
"""

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.areas import FUNCTIONS
from infra.functions import Functions
from infra.settings import Settings

_WINDOW = Duration.minutes(5)
# Share of requests; a handful of errors in a quiet night is no incident.
_API_ERRORS_PERCENT = 1
_FUNCTION_ERRORS = 5
# These run a few times an hour: an error each time is few errors.
_SCHEDULED = ("housekeeping", "indexing")
_SCHEDULED_WINDOW = Duration.hours(3)
_SCHEDULED_ERRORS = 3
_STEPS = ("extract", "embed", "publish")
# Who says of a document that it failed.
_VERDICTS = ("publish", "housekeeping")
_UNFINISHED_SECONDS = 6 * 3600
# Who calls models of others, and settles what they cost.
_SPENDERS = tuple(each.name for each in FUNCTIONS if "embed" in each.layers)
# Dollars in one window; fractions of a cent are the rounding of a tokenizer.
_OVERSHOOT_DOLLARS = 1.0
_NAMESPACE = "Atrium"


class Monitoring(Construct):
    """Alarms that write to one topic; `alarm_email` subscribes to it."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings) -> None:
        super().__init__(scope, name)
        self.topic = sns.Topic(self, "Alarms", display_name="Atrium alarms", enforce_ssl=True)
        # Demanding TLS replaces the topic's default policy, and with it the alarms' right to publish.
        self.topic.grant_publish(iam.ServicePrincipal("cloudwatch.amazonaws.com"))
        if settings.alarm_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(settings.alarm_email))

    def watch_dead_letters(self, queues: dict[str, sqs.Queue]) -> None:
        """One message in a dead-letter queue is one too many."""
        for name, queue in queues.items():
            metric = queue.metric_approximate_number_of_messages_visible(period=_WINDOW, statistic="Maximum")
            self._alarm(f"{name}DeadLetters", metric, 1, f"Messages wait in the dead-letter queue of {name}")

    def watch_pipeline(self, machine: sfn.StateMachine, functions: Functions) -> None:
        """Verdicts that are not about the document, executions without a verdict, and documents that do not end."""
        ours = self._count("FailedThroughUs", '{ $.verdict = "ours" }', "1", *(functions.log_group(each) for each in _VERDICTS))
        self._alarm("FailedThroughUs", ours, 1, "Documents failed for a reason that is ours, not the document's")
        self._alarm("PipelineTimedOut", machine.metric_timed_out(period=_WINDOW), 1, "A document's ingestion did not end")
        age, sweeps = "$.oldest_unfinished_seconds", functions.log_group("housekeeping")
        oldest = self._count("OldestUnfinished", f"{{ {age} >= 0 }}", age, sweeps, statistic="Maximum")
        self._alarm("OldestUnfinished", oldest, _UNFINISHED_SECONDS, "A document has been unfinished for six hours")

    def watch_money(self, functions: Functions) -> None:
        """Calls that cost more than was reserved for them: a price, or a count of tokens, is wrong."""
        overshoot, groups = "$.overshoot_usd", [functions.log_group(each) for each in _SPENDERS]
        overshot = self._count("BudgetOvershot", f"{{ {overshoot} > 0 }}", overshoot, *groups)
        self._alarm("BudgetOvershot", overshot, _OVERSHOOT_DOLLARS, "Calls of models cost more than was reserved for them")

    def watch_functions(self, functions: Functions) -> None:
        """Uncaught errors of each function, but for the pipeline's steps, which raise what is wrong with a document."""
        for name, function in functions.all().items():
            if name in _STEPS:
                continue
            window, threshold = (_SCHEDULED_WINDOW, _SCHEDULED_ERRORS) if name in _SCHEDULED else (_WINDOW, _FUNCTION_ERRORS)
            metric = function.metric_errors(period=window)
            self._alarm(f"{name.capitalize()}Errors", metric, threshold, f"The {name} function fails")

    def watch_api(self, api: apigateway.RestApi) -> None:
        """The share of requests answered 5xx, throttled ones left out."""
        metric = api.metric_server_error(period=_WINDOW, statistic="Average")
        self._alarm("ApiServerErrors", metric, _API_ERRORS_PERCENT / 100, "The API answers 5xx")

    def _count(self, name: str, pattern: str, value: str, *groups: logs.ILogGroup, statistic: str = "Sum") -> cloudwatch.IMetric:
        """A metric of the JSON log lines that fit `pattern`."""
        for number, group in enumerate(groups):
            logs.MetricFilter(
                self,
                f"{name}Filter{number or ''}",
                log_group=group,
                filter_pattern=logs.FilterPattern.literal(pattern),
                metric_namespace=_NAMESPACE,
                metric_name=name,
                metric_value=value,
            )
        return cloudwatch.Metric(namespace=_NAMESPACE, metric_name=name, period=_WINDOW, statistic=statistic)

    def _alarm(self, name: str, metric: cloudwatch.IMetric, threshold: float, description: str) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=description,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
