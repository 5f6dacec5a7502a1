"""Long work with steps: the document pipeline."""

import json

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.acknowledgments import acknowledge
from infra.document_pipeline import definition
from infra.functions import Functions
from infra.retention import retention
from infra.settings import PREFIX, Settings

_NAME = f"{PREFIX}-document-pipeline"


class DocumentPipeline(Construct):
    """The state machine of infra/document_pipeline.py, logged and traced."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings, functions: Functions) -> None:
        super().__init__(scope, name)
        steps = {step: functions[step] for step in ("extract", "embed", "publish")}
        text = json.dumps(definition(**{step: function.function_arn for step, function in steps.items()}))
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=_NAME,
            definition_body=sfn.DefinitionBody.from_string(text),
            logs=sfn.LogOptions(destination=self._log_group(settings), level=sfn.LogLevel.ALL, include_execution_data=True),
            tracing_enabled=True,
        )
        self.machine.add_to_role_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"], resources=[function.function_arn for function in steps.values()]
            )
        )
        for starter in ("ingest", "documents", "publish", "housekeeping"):
            self._let_start(functions, starter)
        reason = "X-Ray and CloudWatch's log delivery know no narrower resource for these actions."
        acknowledge(self.machine.role, reason, "AwsSolutions-IAM5[Resource::*]")

    def _let_start(self, functions: Functions, name: str) -> None:
        """By the machine's name: it names `publish`, which starts others' executions, so neither can wait for the other."""
        arn = Stack.of(self).format_arn(
            service="states", resource="stateMachine", resource_name=_NAME, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        functions[name].add_environment("PIPELINE_ARN", arn)
        functions[name].add_to_role_policy(iam.PolicyStatement(actions=["states:StartExecution"], resources=[arn]))

    def _log_group(self, settings: Settings) -> logs.LogGroup:
        # Step Functions writes only to groups below this name without a resource policy that grows with every machine.
        group = f"/aws/vendedlogs/states/{_NAME}"
        return logs.LogGroup(
            self, "Logs", log_group_name=group, retention=retention(settings), removal_policy=RemovalPolicy.DESTROY
        )
