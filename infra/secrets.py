"""Who reads which secret. Deployment secrets are made at deploy by `migrate`, provider keys by people; none is in a template."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.acknowledgments import acknowledge
from infra.areas import AREAS, FUNCTIONS
from infra.functions import Functions

KEYRING = "atrium/keyring"
JWKS = "atrium/jwks"
OPERATOR = "atrium/operator"
PROVIDERS = "atrium/providers/"


class Secrets(Construct):
    """Reads of the keyring for the API, of provider keys for the functions that call models, creation for `migrate`.

    `system` answers whoever asks and signs nothing: it reads the public keys alone.
    """

    def __init__(self, scope: Construct, name: str, *, functions: Functions) -> None:
        super().__init__(scope, name)
        for area in AREAS:
            secret = JWKS if area.name == "system" else KEYRING
            _allow(functions, area.name, ["GetSecretValue"], [f"{secret}{_SUFFIX}"])
        # Encrypted files' passwords are sealed under it, and tenants' own provider keys.
        for worker in ("extract", "embed"):
            _allow(functions, worker, ["GetSecretValue"], [f"{KEYRING}{_SUFFIX}"])
        for function in FUNCTIONS:
            if function.provider_keys:
                _allow(functions, function.name, ["GetSecretValue"], [f"{PROVIDERS}*"])
        # A secret that is not there yet has no suffix: with the exact pattern its absence would read as "access denied".
        _allow(functions, "migrate", ["CreateSecret", "GetSecretValue"], [f"{KEYRING}*", f"{OPERATOR}*", f"{JWKS}*"])
        _allow(functions, "migrate", ["PutSecretValue"], [f"{JWKS}*"])


# Secrets Manager ends every ARN in a hyphen and six characters of its own.
_SUFFIX = "-??????"


def _allow(functions: Functions, name: str, actions: list[str], secrets: list[str]) -> None:
    function = functions[name]
    stack = Stack.of(function)
    prefix = f"arn:aws:secretsmanager:{stack.region}:{stack.account}:secret:"
    function.add_to_role_policy(
        iam.PolicyStatement(
            actions=[f"secretsmanager:{action}" for action in actions], resources=[prefix + secret for secret in secrets]
        )
    )
    # The rule does not see "?", which is as exact as a secret's pattern gets.
    open_ended = [secret for secret in secrets if secret.endswith("*")]
    findings = [
        f"AwsSolutions-IAM5[Resource::arn:aws:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:{secret}]"
        for secret in open_ended
    ]
    if function.role and findings:
        acknowledge(function.role, "Named secrets, whose ARNs end in characters that are not known at deploy.", *findings)
