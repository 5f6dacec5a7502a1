"""The app as a whole: rules, size, outputs, settings."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from constructs import Node

from infra.areas import AREAS, FUNCTIONS, LAYERS
from infra.settings import LocalCloud, Settings, read_settings
from tests.infra.conftest import placeholder_build, synth
from tests.infra.template import Template, logical_name

OUTPUTS = {
    "ApiUrl", "PublicUrl", "BucketName", "IngestQueueUrl", "IngestDlqUrl", "OutboxQueueUrl", "PipelineArn", "EventBusName",
    "AlarmTopicArn", *(f"{each.name.capitalize()}FunctionName" for each in FUNCTIONS),
}  # fmt: skip


@pytest.mark.parametrize("target", ["aws", "local"])
def test_the_stack_says_where_everything_is(request: pytest.FixtureRequest, target: str) -> None:
    template: Template = request.getfixturevalue(target)
    assert set(template.outputs) == OUTPUTS


def test_the_local_outputs_name_the_local_cloud(local: Template) -> None:
    assert local.outputs["ApiUrl"] == "http://127.0.0.1:4566/_aws/execute-api/atrium/live"
    assert local.outputs["PublicUrl"] == "http://127.0.0.1:8080"


def test_the_stack_stays_far_below_the_limit_of_resources(aws: Template) -> None:
    assert len(aws.resources) < 400


def differing(one: object, other: object, path: str) -> Iterator[str]:
    """Where two values differ: the paths of properties, and for policies the actions of statements that only one has."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in one.keys() | other.keys():
            yield from differing(one.get(name), other.get(name), f"{path}.{name}".lstrip("."))
    elif path == "PolicyDocument.Statement" and isinstance(one, list) and isinstance(other, list):
        yield from (str(each["Action"]) for each in [*one, *other] if each not in one or each not in other)
    elif one != other:
        yield path


_ALL = {f"Functions{each.name.capitalize()}" for each in FUNCTIONS}
_ROLES = {f"{each}RoleDefaultPolicy" for each in _ALL}
_STREAMING = {f"Functions{area.name.capitalize()}" for area in AREAS if area.streaming}
_STREAMED = {
    f"ApiRest{path}{below}ANY"
    for area in AREAS if area.streaming
    for path in (*area.roots, *(f"api{version}{prefix}" for prefix in area.prefixes for version in ("", "v1")))
    for below in ("", "proxy")
}  # fmt: skip
_VARIABLES = "Environment.Variables."
_ATTACHMENT = ["CreateNetworkInterface", "DeleteNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets"]

# Property → the resources where an account's and a laptop's may differ. Whatever else does is what no local test can see.
MAY_DIFFER: dict[str, set[str]] = {
    # Aurora's row
    "DashboardBody.Fn::Join": {"DashboardPage"},
    # this machine's processor, and no /opt for the model
    "Architectures": _ALL,
    "CompatibleArchitectures": {f"Artifacts{name.capitalize()}" for name in LAYERS},
    "Content.S3Key": {f"Artifacts{name.capitalize()}" for name in LAYERS},
    f"{_VARIABLES}MODEL_DIR": _ALL,
    f"{_VARIABLES}OCR_DATA_DIR": _ALL,
    # the emulator's and the edge's addresses
    f"{_VARIABLES}ATRIUM_TARGET": _ALL,
    f"{_VARIABLES}AWS_ENDPOINT_URL": _ALL,
    f"{_VARIABLES}S3_PUBLIC_URL": _ALL,
    f"{_VARIABLES}PUBLIC_URL": _ALL,
    "Tags": {"ApiRest", "ApiRestCloudWatchRole", "ApiRestDeploymentStagelive"},
    # a laptop's few processors
    f"{_VARIABLES}INGEST_IN_FLIGHT": _ALL,
    # anybody may register on a laptop
    f"{_VARIABLES}REGISTRATION": _ALL,
    # embedded Postgres with passwords, Aurora with IAM tokens in a network
    f"{_VARIABLES}DATABASE_HOST": _ALL,
    f"{_VARIABLES}DATABASE_PASSWORD": _ALL,
    f"{_VARIABLES}DATABASE_SSLMODE": _ALL,
    f"{_VARIABLES}DATABASE_USER": {"FunctionsMigrate"},
    f"{_VARIABLES}DATABASE_MASTER_SECRET": {"FunctionsMigrate"},
    "VpcConfig": _ALL,
    "rds-db:connect": _ROLES,
    "secretsmanager:GetSecretValue": {"FunctionsMigrateRoleDefaultPolicy"},
    str([f"ec2:{action}" for action in _ATTACHMENT]): _ROLES,
    # the edge streams, where an account has Lambda Web Adapter
    "Handler": _STREAMING,
    "Layers": _STREAMING,
    "Timeout": _STREAMING,
    f"{_VARIABLES}AWS_LAMBDA_EXEC_WRAPPER": _STREAMING,
    f"{_VARIABLES}AWS_LWA_INVOKE_MODE": _STREAMING,
    f"{_VARIABLES}AWS_LWA_PORT": _STREAMING,
    f"{_VARIABLES}AWS_LWA_READINESS_CHECK_PATH": _STREAMING,
    "Integration.ResponseTransferMode": _STREAMED,
    "Integration.TimeoutInMillis": _STREAMED,
    "Integration.Uri.Fn::Join": _STREAMED,
    # names that follow from the above
    "DeploymentId.Ref": {"ApiRestDeploymentStagelive"},
    "HandlerArn.Ref": {"MigrationRun"},
}


def test_what_both_targets_have_differs_in_the_listed_properties_alone(aws: Template, local: Template) -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for name in aws.resources.keys() & local.resources.keys():
        one, other = aws.resources[name], local.resources[name]
        assert one["Type"] == other["Type"]
        for path in differing(one.get("Properties"), other.get("Properties"), ""):
            found[path].add(logical_name(name))
    assert found == MAY_DIFFER


def test_targets_differ_by_network_database_and_adapter_alone(aws: Template, local: Template) -> None:
    left_out = {name for name in aws.resources if name.startswith(("Network", "Database"))}
    versioned = ("FunctionsMigrateCurrentVersion", "ApiRestDeployment")
    expected = {name for name in set(aws.resources) - left_out if not name.startswith(versioned)}
    assert expected == {name for name in local.resources if not name.startswith(versioned)}


def test_an_unaccepted_finding_stops_the_synth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("import infra.acknowledgments as a\na.acknowledge = lambda *_: None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = synth(tmp_path / "out", placeholder_build(tmp_path / "build"), target="aws")
    assert done.returncode != 0
    assert "AwsSolutions-S1" in done.stdout + done.stderr


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    done = synth(tmp_path / "out", tmp_path, target="elsewhere", log_retention="8")
    assert done.returncode != 0
    assert "context: target" in done.stderr
    assert "context: log_retention" in done.stderr


def context(values: dict[str, object]) -> Node:
    """A construct's node as far as settings read it."""

    class Context:
        def try_get_context(self, name: str) -> object:
            return values.get(name)

    return Context()  # type: ignore[return-value]


def test_settings_come_typed_from_the_command_line() -> None:
    given = {
        "target": "aws",
        "log_retention": "30",
        "aurora_min_capacity": "0",
        "cors_origins": "https://a.example, https://b.example",
    }
    settings = read_settings(context(dict(given)))
    assert settings.log_retention == 30
    assert settings.aurora_min_capacity == 0
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.registration_mode == "invite"


@pytest.mark.parametrize(
    "wrong",
    [
        {"aurora_min_capacity": 9, "aurora_max_capacity": 8},
        {"alarm_email": "nobody"},
        {"public_url": "http://plain.example"},
        {"ingest_concurrency": 1},
        {"models": "{"},
        {"models": "[]"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SystemExit, match="context: "):
        read_settings(context(wrong))


def test_models_are_packed_and_must_fit_among_a_functions_variables() -> None:
    assert read_settings(context({"models": '{\n  "chat": {"a/ü": {}}\n}'})).models == '{"chat":{"a/ü":{}}}'
    with pytest.raises(SystemExit, match=r"models: .*has 21\d\d bytes without spaces, and 2000 fit"):
        read_settings(context({"models": json.dumps({"chat": {f"a/{number}": {} for number in range(205)}})}))


def test_no_functions_variables_are_more_than_lambda_takes(aws: Template) -> None:
    """With as much in MODELS as may be in it; a name that is only known when it is deployed is taken for 100 characters."""
    for function in aws.properties("AWS::Lambda::Function"):
        variables = function.get("Environment", {}).get("Variables", {})
        known = sum(len(name) + (len(value) if isinstance(value, str) else 100) for name, value in variables.items())
        assert known + 2000 < 4096, function["FunctionName"]


def test_registration_is_open_on_a_laptop() -> None:
    assert Settings(target="local").registration_mode == "open"


def test_the_local_cloud_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LocalCloud.model_fields:
        monkeypatch.setenv(f"ATRIUM_LOCAL_{name.upper()}", "7")
    assert LocalCloud.from_environment().db_port == 7


def test_the_password_of_this_machine_is_not_shown() -> None:
    local = LocalCloud(db_port=1, db_password="secret-word", public_url="", s3_url="", aws_endpoint="")
    assert "secret-word" not in repr(local)
