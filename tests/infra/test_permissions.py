"""Least privilege: a role per function, no wildcard actions, secrets for those who need them."""

import pytest

from infra.areas import AREAS, FUNCTIONS
from infra.storage import ACCESS
from tests.infra.template import Template, as_list

NAMES = [each.name for each in FUNCTIONS]
# What arrives is started, and what is stuck is started again.
STARTERS = {"ingest", "documents", "publish", "housekeeping"}
# AWS knows no narrower resource for these.
UNSCOPED = {
    "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
    "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
    "xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments",
}  # fmt: skip


def all_statements(template: Template) -> list[dict[str, object]]:
    inline = [policy for role in template.properties("AWS::IAM::Role") for policy in role.get("Policies", [])]
    documents = [each["PolicyDocument"] for each in [*template.properties("AWS::IAM::Policy"), *inline]]
    return [statement for document in documents for statement in document["Statement"]]


def test_no_role_may_do_everything_of_anything(aws: Template) -> None:
    actions = [action for statement in all_statements(aws) for action in as_list(statement["Action"])]
    assert actions
    assert [action for action in actions if "*" in action] == []


def test_all_resources_only_where_aws_has_no_narrower_one(aws: Template) -> None:
    wide = [statement for statement in all_statements(aws) if "*" in as_list(statement["Resource"])]
    assert {action for statement in wide for action in as_list(statement["Action"])} <= UNSCOPED


def test_every_function_has_a_role_of_its_own(aws: Template) -> None:
    roles = [str(each["Role"]) for each in aws.functions().values()]
    assert len(set(roles)) == len(roles) == len(FUNCTIONS)


def test_only_migrate_reads_the_master_secret(aws: Template) -> None:
    readers = {name for name in NAMES if "MasterUserSecret" in str(aws.statements(name))}
    assert readers == {"migrate"}


def test_functions_log_in_as_the_application_and_few_as_somebody_else(aws: Template) -> None:
    users = {name: [arn.rsplit("/", 1)[1] for arn in aws.allowed(name, "rds-db:connect")] for name in NAMES}
    assert users.pop("migrate") == users.pop("indexing") == ["atrium_migrator"]
    assert users.pop("housekeeping") == ["atrium_app", "atrium_relay"]
    assert all(logins == ["atrium_app"] for logins in users.values())
    assert aws.function("housekeeping")["Environment"]["Variables"]["DATABASE_USER"] == "atrium_app"
    assert aws.function("indexing")["Environment"]["Variables"]["DATABASE_USER"] == "atrium_migrator"


@pytest.mark.parametrize("name", NAMES)
def test_secrets_go_to_those_who_use_them(aws: Template, name: str) -> None:
    readable = {arn.rsplit("secret:", 1)[1] for arn in aws.allowed(name, "secretsmanager:GetSecretValue") if "secret:" in arn}
    expected = {"atrium/keyring-??????"} if name in {area.name for area in AREAS} | {"extract", "embed"} else set()
    if name == "system":
        expected = {"atrium/jwks-??????"}
    if name in {"rag", "llm", "openai", "embed", "prompts", "admin"}:
        expected.add("atrium/providers/*")
    if name == "migrate":
        expected = {"atrium/keyring*", "atrium/operator*", "atrium/jwks*"}
    assert readable == expected


def test_only_migrate_makes_secrets(aws: Template) -> None:
    assert [name for name in NAMES if aws.allowed(name, "secretsmanager:CreateSecret")] == ["migrate"]
    (published,) = aws.allowed("migrate", "secretsmanager:PutSecretValue")
    assert published.endswith("secret:atrium/jwks*")


@pytest.mark.parametrize("name", NAMES)
def test_objects_are_reached_by_prefix_as_the_table_says(aws: Template, name: str) -> None:
    access = ACCESS.get(name)
    for action, prefixes in {
        "s3:GetObject": access.read if access else (),
        "s3:PutObject": access.write if access else (),
        "s3:DeleteObject": access.delete if access else (),
    }.items():
        assert [arn.split("/")[1] for arn in aws.allowed(name, action)] == sorted(prefixes), action


def test_the_pipeline_is_started_by_those_alone_who_know_it(aws: Template) -> None:
    knowing = {name for name in NAMES if "PIPELINE_ARN" in aws.function(name)["Environment"]["Variables"]}
    assert {name for name in NAMES if aws.allowed(name, "states:StartExecution")} == knowing == STARTERS
