"""Every Lambda of infra/areas.py: own role, own log group, own size. What each may do beyond that is in its capability."""

from aws_cdk import Duration, RemovalPolicy, Size, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.acknowledgments import acknowledge
from infra.areas import FUNCTIONS, Area, Function
from infra.artifacts import RUNTIME, Artifacts
from infra.database import Database
from infra.network import Network
from infra.retention import retention
from infra.settings import PREFIX, Settings

# Lambda Web Adapter 1.0, published by AWS: serves a streaming area's HTTP port as a streaming Lambda.
_ADAPTER_ACCOUNT = "753240598075"
_ADAPTER_LAYER = "LambdaAdapterLayerArm64:27"
_ADAPTER_PORT = 8000

# A statement must end before its function does.
_STATEMENT_MARGIN = 4
# A REST API's limit for buffered replies, also for an area that streams in production.
BUFFERED_TIMEOUT = 29


class Functions(Construct):
    """All functions by name, for the capabilities to wire: `functions["ingest"]`."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        settings: Settings,
        artifacts: Artifacts,
        database: Database,
        network: Network | None,
        environment: dict[str, str],
    ) -> None:
        super().__init__(scope, name)
        self._settings = settings
        self._artifacts = artifacts
        self._database = database
        self._network = network
        self._environment = environment
        self._log_groups = {function.name: self._log_group(function) for function in FUNCTIONS}
        self._all = {function.name: self._function(function) for function in FUNCTIONS}
        reason = "Python 3.13 is what uv.lock is resolved, tested and packaged for; the newer runtime comes with all of them."
        acknowledge(self, reason, "AwsSolutions-L1")

    def __getitem__(self, name: str) -> lambda_.Function:
        return self._all[name]

    def all(self) -> dict[str, lambda_.Function]:
        """Name → function, in the order of infra/areas.py."""
        return dict(self._all)

    def log_group(self, name: str) -> logs.LogGroup:
        """Where a function logs."""
        return self._log_groups[name]

    def _function(self, function: Function) -> lambda_.Function:
        log_group = self._log_groups[function.name]
        return lambda_.Function(
            self,
            function.name.capitalize(),
            function_name=f"{PREFIX}-{function.name}",
            runtime=RUNTIME,
            architecture=self._artifacts.architecture,
            handler="run.sh" if self._streams(function) else function.handler,
            code=self._artifacts.code(function.name),
            layers=self._layers(function),
            memory_size=function.memory,
            timeout=Duration.seconds(self._timeout(function)),
            ephemeral_storage_size=Size.mebibytes(function.storage),
            environment=self._variables(function),
            role=self._role(function, log_group),
            log_group=log_group,
            vpc=self._network.vpc if self._network else None,
            vpc_subnets=self._network.function_subnets if self._network else None,
            security_groups=[self._network.functions] if self._network else None,
        )

    def _streams(self, function: Function) -> bool:
        """The emulator has no streaming integration: on the local cloud the edge streams, and the area's Lambda is buffered."""
        return isinstance(function, Area) and function.streaming and not self._settings.local

    def _timeout(self, function: Function) -> int:
        return (
            min(function.timeout, BUFFERED_TIMEOUT) if isinstance(function, Area) and self._settings.local else function.timeout
        )

    def _layers(self, function: Function) -> list[lambda_.ILayerVersion]:
        layers = self._artifacts.layers(function.layers)
        if self._streams(function):
            arn = f"arn:aws:lambda:{Stack.of(self).region}:{_ADAPTER_ACCOUNT}:layer:{_ADAPTER_LAYER}"
            layers.append(lambda_.LayerVersion.from_layer_version_arn(self, f"{function.name.capitalize()}Adapter", arn))
        return layers

    def _variables(self, function: Function) -> dict[str, str]:
        statement = min(function.timeout - _STATEMENT_MARGIN, 25 if isinstance(function, Area) else function.timeout)
        return {
            **self._environment,
            **self._database.environment(function),
            "DATABASE_STATEMENT_TIMEOUT": str(statement),
            # There are none; looking for them reads the metadata of every package at every cold start.
            "PYDANTIC_DISABLE_PLUGINS": "__all__",
            **(_ADAPTER_VARIABLES if self._streams(function) else {}),
        }

    def _role(self, function: Function, log_group: logs.LogGroup) -> iam.Role:
        role = iam.Role(
            self,
            f"{function.name.capitalize()}Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What Atrium's {function.name} function may do",
        )
        log_group.grant_write(role)
        self._database.allow(function, role)
        if self._network:
            self._network.allow_attachment(role)
        return role

    def _log_group(self, function: Function) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            f"{function.name.capitalize()}Logs",
            log_group_name=f"/aws/lambda/{PREFIX}-{function.name}",
            retention=retention(self._settings),
            removal_policy=RemovalPolicy.DESTROY,
        )


_ADAPTER_VARIABLES = {
    "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
    "AWS_LWA_INVOKE_MODE": "response_stream",
    "AWS_LWA_PORT": str(_ADAPTER_PORT),
    "AWS_LWA_READINESS_CHECK_PATH": "/healthz",
}
