"""What wakes somebody: dead letters, failed documents, failing functions, an API that answers 5xx."""

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.settings import Settings

_WINDOW = Duration.minutes(5)
# Share of requests; a handful of errors in a quiet night is no incident.
_API_ERRORS_PERCENT = 1
_FUNCTION_ERRORS = 5


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

    def watch_pipeline(self, machine: sfn.StateMachine) -> None:
        """Documents that fail also fail the execution; timeouts would leave one without a verdict."""
        self._alarm("PipelineFailed", machine.metric_failed(period=_WINDOW), _FUNCTION_ERRORS, "Documents fail to be ingested")
        self._alarm("PipelineTimedOut", machine.metric_timed_out(period=_WINDOW), 1, "A document's ingestion did not end")

    def watch_functions(self, functions: dict[str, lambda_.Function]) -> None:
        """Uncaught errors of each function."""
        for name, function in functions.items():
            metric = function.metric_errors(period=_WINDOW)
            self._alarm(f"{name.capitalize()}Errors", metric, _FUNCTION_ERRORS, f"The {name} function fails")

    def watch_api(self, api: apigateway.RestApi) -> None:
        """The share of requests answered 5xx, throttled ones left out."""
        metric = api.metric_server_error(period=_WINDOW, statistic="Average")
        self._alarm("ApiServerErrors", metric, _API_ERRORS_PERCENT / 100, "The API answers 5xx")

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
