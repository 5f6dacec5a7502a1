"""Who reads which secret. Deployment secrets are made at deploy by `migrate`, provider keys by people; none is in a template."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.acknowledgments import acknowledge
from infra.areas import AREAS, FUNCTIONS
from infra.functions import Functions

KEYRING = "atrium/keyring"
OPERATOR = "atrium/operator"
PROVIDERS = "atrium/providers/"


class Secrets(Construct):
    """Reads of the keyring for the API, of provider keys for the functions that call models, creation for `migrate`."""

    def __init__(self, scope: Construct, name: str, *, functions: Functions) -> None:
        super().__init__(scope, name)
        for area in AREAS:
            self._allow(functions, area.name, ["GetSecretValue"], [KEYRING])
        for function in FUNCTIONS:
            if function.provider_keys:
                self._allow(functions, function.name, ["GetSecretValue"], [PROVIDERS])
        self._allow(functions, "migrate", ["CreateSecret", "GetSecretValue"], [KEYRING, OPERATOR])

    def _allow(self, functions: Functions, function: str, actions: list[str], names: list[str]) -> None:
        resources = [self._arn(name) for name in names]
        role = functions[function].role
        if role is None:
            raise ValueError(f"{function} has no role")
        statement = iam.PolicyStatement(actions=[f"secretsmanager:{action}" for action in actions], resources=resources)
        role.add_to_principal_policy(statement)
        reason = "A secret's ARN ends in six random characters; the name before them is exact (providers: one secret each)."
        findings = [f"AwsSolutions-IAM5[Resource::{_as_reported(name)}]" for name in names]
        acknowledge(role, reason, *findings)

    def _arn(self, name: str) -> str:
        stack = Stack.of(self)
        return f"arn:aws:secretsmanager:{stack.region}:{stack.account}:secret:{_pattern(name)}"


def _pattern(name: str) -> str:
    return f"{name}*" if name.endswith("/") else f"{name}-??????"


def _as_reported(name: str) -> str:
    return f"arn:aws:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:{_pattern(name)}"
