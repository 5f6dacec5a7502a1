"""One CloudWatch page of the deployment: traffic, models and money, documents, functions, the database.

What models cost is asked of housekeeping's log, whose sweep writes what came since the sweep before: a metric for each model
would cost by the month, also while nobody looks.
"""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.areas import AREAS, WORKERS
from infra.functions import Functions
from infra.settings import PREFIX

_WINDOW = Duration.minutes(5)
_WIDTH = 12
_FULL_WIDTH = 24


class Dashboard(Construct):
    """The page. Rows are added in the order in which they are read."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        self._page = cloudwatch.Dashboard(self, "Page", dashboard_name=PREFIX, default_interval=Duration.hours(12))

    def show_api(self, api: apigateway.RestApi) -> None:
        """Requests, refusals, failures, and how long they took."""
        count = [
            api.metric_count(period=_WINDOW),
            api.metric_client_error(period=_WINDOW),
            api.metric_server_error(period=_WINDOW),
        ]
        times = [api.metric_latency(period=_WINDOW, statistic=each) for each in ("p50", "p95", "p99")]
        self._row("Requests", self._graph("Requests, 4xx, 5xx", *count), self._graph("Latency, ms", *times))

    def show_models(self, functions: Functions) -> None:
        """Dollars, calls and tokens of every model, by the hour."""
        group = functions.log_group("housekeeping")
        self._row(
            "Models",
            *(
                _asked(title, group, f"stats sum({field}) as {name} by bin(1h), model")
                for title, field, name in (
                    ("US dollars by model and hour", "cost_usd", "usd"),
                    ("Calls by model and hour", "calls", "calls"),
                    ("Output tokens by model and hour", "output_tokens", "tokens"),
                )
            ),
        )

    def show_documents(self, machine: sfn.StateMachine, queues: Mapping[str, sqs.Queue], dead: Mapping[str, sqs.Queue]) -> None:
        """Documents on their way, and what waits."""
        ended = [
            machine.metric_succeeded(period=_WINDOW),
            machine.metric_failed(period=_WINDOW),
            machine.metric_timed_out(period=_WINDOW),
        ]
        waiting = [queue.metric_approximate_age_of_oldest_message(period=_WINDOW, label=name) for name, queue in queues.items()]
        letters = [
            queue.metric_approximate_number_of_messages_visible(period=_WINDOW, label=name) for name, queue in dead.items()
        ]
        self._row(
            "Documents",
            self._graph("Pipeline: ready, failed, timed out", *ended),
            self._graph("Oldest message, s", *waiting),
            self._graph("Dead letters", *letters),
        )

    def show_functions(self, functions: Functions) -> None:
        """Errors, throttles and the slow end of every function."""
        names = [each.name for each in (*AREAS, *WORKERS)]
        self._row(
            "Functions",
            self._graph("Errors", *(functions[name].metric_errors(period=_WINDOW, label=name) for name in names)),
            self._graph("Throttles", *(functions[name].metric_throttles(period=_WINDOW, label=name) for name in names)),
            self._graph(
                "p95 ms", *(functions[name].metric_duration(period=_WINDOW, statistic="p95", label=name) for name in names)
            ),
        )

    def show_database(self, cluster: str) -> None:
        """Aurora's capacity, connections and processor."""
        metrics = [
            cloudwatch.Metric(
                namespace="AWS/RDS",
                metric_name=each,
                dimensions_map={"DBClusterIdentifier": cluster},
                period=_WINDOW,
                statistic="Maximum",
            )
            for each in ("ServerlessDatabaseCapacity", "DatabaseConnections", "CPUUtilization")
        ]
        self._row("Database", *(self._graph(each.metric_name, each) for each in metrics))

    def _graph(self, title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(title=title, left=list(metrics), width=_WIDTH)

    def _row(self, title: str, *widgets: cloudwatch.IWidget) -> None:
        self._page.add_widgets(cloudwatch.TextWidget(markdown=f"## {title}", width=_FULL_WIDTH, height=1))
        self._page.add_widgets(*widgets)


def _asked(title: str, group: logs.ILogGroup, question: str) -> cloudwatch.LogQueryWidget:
    lines = ['filter message = "usage"', question]
    return cloudwatch.LogQueryWidget(
        title=title,
        log_group_names=[group.log_group_name],
        view=cloudwatch.LogQueryVisualizationType.STACKEDAREA,
        query_lines=lines,
        width=_WIDTH,
    )
