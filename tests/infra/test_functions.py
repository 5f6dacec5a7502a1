"""The Lambdas: size, machine, layers, variables, logs."""

import pytest

from atrium.kernel.settings import Settings
from infra.areas import FUNCTIONS, Area, Function
from tests.infra.template import Template

NAMES = [each.name for each in FUNCTIONS]
# Read by the runtime, the SDK, Pydantic or Lambda Web Adapter, not by our settings.
ADAPTER = {"AWS_LAMBDA_EXEC_WRAPPER", "AWS_LWA_INVOKE_MODE", "AWS_LWA_PORT", "AWS_LWA_READINESS_CHECK_PATH"}
FOREIGN = {"AWS_ENDPOINT_URL", "PYDANTIC_DISABLE_PLUGINS", *ADAPTER}


def test_every_function_of_the_table_is_deployed(aws: Template, local: Template) -> None:
    assert set(aws.functions()) == set(local.functions()) == set(NAMES)


@pytest.mark.parametrize("function", FUNCTIONS, ids=NAMES)
def test_a_function_is_arm64_python_of_its_declared_size(aws: Template, function: Function) -> None:
    deployed = aws.function(function.name)
    assert deployed["Architectures"] == ["arm64"]
    assert deployed["Runtime"] == "python3.13"
    assert deployed["MemorySize"] == function.memory
    assert deployed["Timeout"] == function.timeout
    assert deployed["EphemeralStorage"] == {"Size": function.storage}


@pytest.mark.parametrize("name", NAMES)
def test_a_function_has_at_most_five_layers(aws: Template, name: str) -> None:
    assert 2 <= len(aws.function(name)["Layers"]) <= 5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", ["aws", "local"])
def test_variables_are_settings_and_valid(request: pytest.FixtureRequest, target: str, name: str) -> None:
    template: Template = request.getfixturevalue(target)
    variables = template.function(name)["Environment"]["Variables"]
    known = {str(field.validation_alias or field_name).upper() for field_name, field in Settings.model_fields.items()}
    assert set(variables) - known <= FOREIGN
    values = {
        key.lower(): value for key, value in variables.items() if isinstance(value, str) and key in known - {"ATRIUM_TARGET"}
    }
    settings = Settings.model_validate(values | {"ATRIUM_TARGET": variables["ATRIUM_TARGET"]})
    assert settings.target == target


def test_statements_end_before_their_function(aws: Template) -> None:
    for name, function in aws.functions().items():
        assert float(function["Environment"]["Variables"]["DATABASE_STATEMENT_TIMEOUT"]) < function["Timeout"], name


def test_no_cold_start_looks_for_plugins_of_pydantic(aws: Template) -> None:
    for name, function in aws.functions().items():
        assert function["Environment"]["Variables"]["PYDANTIC_DISABLE_PLUGINS"] == "__all__", name


def test_nothing_secret_is_in_a_variable_of_an_account(aws: Template) -> None:
    for function in aws.functions().values():
        assert "DATABASE_PASSWORD" not in function["Environment"]["Variables"]


def test_every_function_of_an_account_is_in_the_network(aws: Template, local: Template) -> None:
    assert all("VpcConfig" in each for each in aws.functions().values())
    assert not any("VpcConfig" in each for each in local.functions().values())


def test_a_streaming_area_runs_under_the_adapter_in_an_account(aws: Template, local: Template) -> None:
    for area in [each for each in FUNCTIONS if isinstance(each, Area) and each.streaming]:
        streaming, buffered = aws.function(area.name), local.function(area.name)
        assert streaming["Handler"] == "run.sh"
        assert streaming["Environment"]["Variables"]["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/bootstrap"
        assert streaming["Environment"]["Variables"]["AWS_LWA_INVOKE_MODE"] == "response_stream"
        assert "LambdaAdapterLayerArm64" in str(streaming["Layers"])
        assert buffered["Handler"] == area.handler
        assert "LambdaAdapterLayer" not in str(buffered["Layers"])


@pytest.mark.parametrize("target", ["aws", "local"])
def test_every_log_is_kept_for_a_set_time(request: pytest.FixtureRequest, target: str) -> None:
    template: Template = request.getfixturevalue(target)
    groups = template.of_type("AWS::Logs::LogGroup")
    assert all(group["Properties"]["RetentionInDays"] == 90 for group in groups.values())
    named = {str(group["Properties"].get("LogGroupName")) for group in groups.values()}
    assert {f"/aws/lambda/atrium-{name}" for name in NAMES} <= named
    for function in template.properties("AWS::Lambda::Function"):
        assert function["LoggingConfig"]["LogGroup"]["Ref"] in groups
