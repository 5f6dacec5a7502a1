"""The schema is brought up to date at deploy, before any function that needs it serves."""

from aws_cdk import CfnResource, Duration, RemovalPolicy, Stack, triggers
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.areas import function
from infra.database import Database
from infra.functions import Functions
from infra.retention import retention
from infra.settings import Settings

# The CDK's own function that invokes a trigger's handler, one per stack.
_INVOKER = "AWSCDK.TriggerCustomResourceProviderCustomResourceProvider"


class Migration(Construct):
    """Runs `migrate` whenever its code or a layer of its changed: the layers' hashes cover the SQL and the model data."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings, functions: Functions, database: Database) -> None:
        super().__init__(scope, name)
        trigger = triggers.Trigger(
            self,
            "Run",
            handler=functions["migrate"],
            timeout=Duration.seconds(function("migrate").timeout),
            invocation_type=triggers.InvocationType.REQUEST_RESPONSE,
        )
        for dependable in database.ready():
            trigger.node.add_dependency(dependable)
        # The new code meets the new schema; the old code meets it too for a moment, so migrations suit both.
        trigger.execute_before(*(each for name, each in functions.all().items() if name != "migrate"))
        self._keep_logs(settings)

    def _keep_logs(self, settings: Settings) -> None:
        log_group = logs.LogGroup(self, "InvokerLogs", retention=retention(settings), removal_policy=RemovalPolicy.DESTROY)
        invoker = Stack.of(self).node.find_child(_INVOKER).node.find_child("Handler")
        if isinstance(invoker, CfnResource):
            invoker.add_property_override("LoggingConfig", {"LogGroup": log_group.log_group_name})
