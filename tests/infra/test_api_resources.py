"""The REST API: every area's paths, streaming where it streams, problems where the gateway answers."""

import json
from pathlib import Path

import pytest

from infra.areas import AREAS, Area, area_for
from tests.infra.conftest import placeholder_build, synth
from tests.infra.template import Template, plain

IDS = [area.name for area in AREAS]


def paths_of(area: Area) -> list[str]:
    prefixed = [f"/api/{version}{prefix}" for prefix in area.prefixes for version in ("v1/", "")]
    return [*prefixed, *(f"/{root}" for root in area.roots if root)]


@pytest.mark.parametrize("area", AREAS, ids=IDS)
def test_a_prefix_its_alias_and_all_below_reach_the_area(aws: Template, area: Area) -> None:
    for path in paths_of(area):
        for each in (path, f"{path}/{{proxy+}}"):
            assert f"<Functions{area.name.capitalize()}" in plain(aws.integration(each)["Uri"]), each


def test_the_root_belongs_to_the_system_area(aws: Template) -> None:
    assert "<FunctionsSystem" in plain(aws.integration("")["Uri"])


@pytest.mark.parametrize("area", AREAS, ids=IDS)
def test_a_streaming_area_streams_for_15_minutes_and_the_others_are_buffered(aws: Template, local: Template, area: Area) -> None:
    for path in paths_of(area):
        deployed = aws.integration(path)
        if area.streaming:
            assert deployed["ResponseTransferMode"] == "STREAM"
            assert deployed["TimeoutInMillis"] == 900_000
            assert plain(deployed["Uri"]).endswith("/response-streaming-invocations")
        else:
            assert deployed.get("ResponseTransferMode", "BUFFERED") == "BUFFERED"
            assert deployed["TimeoutInMillis"] == 29_000
        assert local.integration(path).get("ResponseTransferMode", "BUFFERED") == "BUFFERED"


def test_the_table_and_the_gateway_agree_on_who_owns_a_path(aws: Template) -> None:
    for path in aws.paths():
        owner = area_for(path.replace("{proxy+}", "anything"))
        if path in {"/api", "/api/v1"}:
            assert owner is None
        else:
            assert owner is not None
            assert f"<Functions{owner.name.capitalize()}" in plain(aws.integration(path)["Uri"])


def test_the_api_is_regional_and_takes_uploads_byte_for_byte(aws: Template) -> None:
    api = aws.only("AWS::ApiGateway::RestApi")
    assert api["EndpointConfiguration"]["Types"] == ["REGIONAL"]
    assert "multipart/form-data" in api["BinaryMediaTypes"]


def test_the_local_api_has_a_known_id(aws: Template, local: Template) -> None:
    assert local.only("AWS::ApiGateway::RestApi")["Tags"] == [{"Key": "ms-custom-id", "Value": "atrium"}]
    assert "ms-custom-id" not in json.dumps(aws.document)


def test_the_stage_is_throttled_and_logged(aws: Template) -> None:
    stage = aws.only("AWS::ApiGateway::Stage")
    (settings,) = stage["MethodSettings"]
    assert settings["ThrottlingRateLimit"] == 1000
    assert settings["ThrottlingBurstLimit"] == 2000
    assert settings["DataTraceEnabled"] is False
    assert json.loads(stage["AccessLogSetting"]["Format"])["requestId"] == "$context.requestId"


def test_what_the_gateway_answers_itself_is_a_problem(aws: Template) -> None:
    answers = {each["ResponseType"]: each for each in aws.properties("AWS::ApiGateway::GatewayResponse")}
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "THROTTLED", "REQUEST_TOO_LARGE", "INTEGRATION_TIMEOUT"} <= set(answers)
    assert answers["MISSING_AUTHENTICATION_TOKEN"]["StatusCode"] == "404"
    for kind, answer in answers.items():
        headers = answer["ResponseParameters"]
        assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
        assert headers["gatewayresponse.header.X-Request-Id"] == "context.requestId"
        for name, value in _SECURITY.items():
            assert headers[f"gatewayresponse.header.{name}"] == f"'{value}'"
        assert "Origin" in headers["gatewayresponse.header.Vary"]
        rendered = answer["ResponseTemplates"]["application/json"].replace("$context.error.messageString", '"said"')
        problem = json.loads(rendered)
        assert problem["type"].startswith("urn:atrium:problem:")
        assert problem["instance"] == "$context.requestId"
        assert problem.get("status") == (int(answer["StatusCode"]) if "StatusCode" in answer else None), kind


def answered_origins(template: Template) -> set[str | None]:
    """What the gateway's own answers say of origins; None where they say nothing."""
    answers = template.properties("AWS::ApiGateway::GatewayResponse")
    name = "gatewayresponse.header.Access-Control-Allow-Origin"
    assert all((name in each["ResponseParameters"]) == (_EXPOSED in each["ResponseParameters"]) for each in answers)
    return {each["ResponseParameters"].get(name) for each in answers}


_SECURITY = {
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "sandbox",
    "Cache-Control": "no-store",
}
_EXPOSED = "gatewayresponse.header.Access-Control-Expose-Headers"


def test_without_configured_origins_no_page_reads_an_answer(aws: Template) -> None:
    assert answered_origins(aws) == {None}
    assert "CorsConfiguration" not in aws.only("AWS::S3::Bucket")


@pytest.mark.parametrize(
    ("origins", "answered"),
    [
        (["https://a.example"], "'https://a.example'"),
        # A gateway response is a constant: it cannot choose the one that asked.
        (["https://a.example", "https://b.example"], None),
    ],
    ids=["one", "several"],
)
def test_origins_are_the_configured_ones(tmp_path: Path, origins: list[str], answered: str | None) -> None:
    done = synth(tmp_path / "out", placeholder_build(tmp_path / "build"), target="local", cors_origins=",".join(origins))
    assert done.returncode == 0, done.stderr
    template = Template(json.loads((tmp_path / "out" / "Atrium.template.json").read_text()))
    assert answered_origins(template) == {answered}
    (rule,) = template.only("AWS::S3::Bucket")["CorsConfiguration"]["CorsRules"]
    assert rule["AllowedOrigins"] == origins
