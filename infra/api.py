"""The one REST API in front of every area. Regional: an edge-optimised one cuts a stream after 30 silent seconds."""

import json

from aws_cdk import RemovalPolicy, Stack, Tags
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.acknowledgments import acknowledge
from infra.api_area import route
from infra.areas import AREAS
from infra.functions import Functions
from infra.retention import retention
from infra.settings import PREFIX, LocalCloud, Settings

STAGE = "live"

# What API Gateway answers itself, before any function: response type → (status, code, title, detail).
_GATEWAY_PROBLEMS = {
    # So it calls a path or method that no area has.
    "MISSING_AUTHENTICATION_TOKEN": (404, "not-found", "Not found", "There is nothing at this path."),
    "REQUEST_TOO_LARGE": (413, "payload-too-large", "Payload too large", "The body is over 10 MB."),
    "THROTTLED": (429, "rate-limited", "Too many requests", "The API as a whole is over its request rate."),
    "INTEGRATION_FAILURE": (503, "unavailable", "Temporarily unavailable", "The function behind this path did not answer."),
    "INTEGRATION_TIMEOUT": (504, "unavailable", "Temporarily unavailable", "The function behind this path took too long."),
    "DEFAULT_4XX": (None, "invalid-input", "Invalid input", None),
    "DEFAULT_5XX": (None, "unavailable", "Temporarily unavailable", None),
}


class Api(Construct):
    """Every area's paths, throttled, logged, and with problem+json where the gateway itself answers."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings, local: LocalCloud | None) -> None:
        super().__init__(scope, name)
        self._settings = settings
        self._local = local
        self.rest = apigateway.RestApi(
            self,
            "Rest",
            rest_api_name=PREFIX,
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # Uploads arrive byte for byte; everything else the API takes is text.
            binary_media_types=["multipart/form-data", "application/octet-stream"],
            cloud_watch_role=True,
            deploy_options=self._stage(),
        )
        # The CDK's own output of the URL; ours is ApiUrl.
        self.rest.node.try_remove_child("Endpoint")
        if local:
            Tags.of(self.rest).add("ms-custom-id", PREFIX)
        self._answer_as_problems()
        self._explain_findings()

    @property
    def url(self) -> str:
        """Where the API answers, without a trailing slash. It names no deployment, so functions may know it."""
        if self._local:
            return f"{self._local.aws_endpoint}/_aws/execute-api/{PREFIX}/{STAGE}"
        stack = Stack.of(self)
        return f"https://{self.rest.rest_api_id}.execute-api.{stack.region}.{stack.url_suffix}/{STAGE}"

    @property
    def public_url(self) -> str:
        """The origin that clients use: the local edge, a custom domain, or the API's own."""
        return self._local.public_url if self._local else self._settings.public_url or self.url

    def serve(self, functions: Functions) -> None:
        """Route every area to its function."""
        for area in AREAS:
            route(self.rest.root, area, functions[area.name], stream=area.streaming and not self._settings.local)

    def _stage(self) -> apigateway.StageOptions:
        group = f"/aws/apigateway/{PREFIX}"
        log_group = logs.LogGroup(
            self, "AccessLogs", log_group_name=group, retention=retention(self._settings), removal_policy=RemovalPolicy.DESTROY
        )
        return apigateway.StageOptions(
            stage_name=STAGE,
            throttling_rate_limit=self._settings.throttle_rate,
            throttling_burst_limit=self._settings.throttle_burst,
            metrics_enabled=True,
            # ERROR, not INFO: INFO writes request bodies' heads.
            logging_level=apigateway.MethodLoggingLevel.ERROR,
            access_log_destination=apigateway.LogGroupLogDestination(log_group),
            access_log_format=apigateway.AccessLogFormat.custom(json.dumps(_ACCESS_LOG)),
        )

    def _answer_as_problems(self) -> None:
        for name, (status, code, title, detail) in _GATEWAY_PROBLEMS.items():
            self.rest.add_gateway_response(
                "".join(word.capitalize() for word in name.split("_")),
                type=apigateway.ResponseType.of(name),
                status_code=str(status) if status else None,
                response_headers=_PROBLEM_HEADERS | _readable(self._settings.cors_origins),
                templates={"application/json": _problem(status, code, title, detail)},
            )

    def _explain_findings(self) -> None:
        in_the_app = (
            "Requests are validated and authenticated in the functions: one set of rules on every target, with typed errors."
        )
        acknowledge(self.rest, in_the_app, "AwsSolutions-APIG2", "AwsSolutions-APIG4", "AwsSolutions-COG4")
        waf = "A web ACL costs by the month and rule, also idle; the stage can be given one without a change here."
        acknowledge(self.rest, waf, "AwsSolutions-APIG3")
        account = "The account-wide role by which API Gateway writes logs takes AWS's own policy for it."
        acknowledge(self.rest, account, _LOGS_POLICY_FINDING)


_LOGS_POLICY_FINDING = (
    "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]"
)

_PROBLEM_HEADERS = {
    "Content-Type": "'application/problem+json'",
    "X-Request-Id": "context.requestId",
    # As every answer of the functions has them (atrium/web/envelope.py), but for the policy: a constant here holds no quotes.
    # Over plain HTTP, on a laptop, browsers pass over this one.
    "Strict-Transport-Security": "'max-age=63072000; includeSubDomains'",
    "X-Content-Type-Options": "'nosniff'",
    "X-Frame-Options": "'DENY'",
    "Referrer-Policy": "'no-referrer'",
    "Content-Security-Policy": "'sandbox'",
    "Cross-Origin-Resource-Policy": "'same-origin'",
    "Cache-Control": "'no-store'",
    "Vary": "'Authorization, X-API-Key, Origin'",
}

_ACCESS_LOG = {
    "requestId": "$context.requestId",
    "ip": "$context.identity.sourceIp",
    "time": "$context.requestTime",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "latencyMs": "$context.responseLatency",
    "error": "$context.error.message",
}


def _readable(origins: tuple[str, ...]) -> dict[str, str]:
    """Which pages may read these answers. They are constants: of several origins none can be named."""
    if len(origins) != 1:
        return {}
    return {
        "Access-Control-Allow-Origin": f"'{origins[0]}'",
        "Access-Control-Allow-Credentials": "'true'",
        "Access-Control-Expose-Headers": "'X-Request-Id'",
    }


def _problem(status: int | None, code: str, title: str, detail: str | None) -> str:
    known = {"type": f"urn:atrium:problem:{code}", "title": title, **({"status": status} if status else {})}
    # `messageString` is quoted JSON already.
    said = json.dumps(detail) if detail else "$context.error.messageString"
    return json.dumps(known)[:-1] + f', "detail": {said}, "instance": "$context.requestId"}}'
