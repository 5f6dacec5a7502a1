"""One area behind the API: its prefixes under /api/v1, their unversioned aliases, and its paths outside /api."""

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_

from infra.areas import API_VERSION, Area
from infra.functions import BUFFERED_TIMEOUT


def integration(area: Area, function: lambda_.IFunction, *, stream: bool) -> apigateway.LambdaIntegration:
    """How API Gateway calls the area: whole replies, or a stream for as long as the function may run."""
    mode = apigateway.ResponseTransferMode.STREAM if stream else apigateway.ResponseTransferMode.BUFFERED
    return apigateway.LambdaIntegration(
        function,
        timeout=Duration.seconds(area.timeout if stream else BUFFERED_TIMEOUT),
        response_transfer_mode=mode,
        # One permission per function instead of one per method and path.
        scope_permission_to_method=False,
    )


def paths(area: Area) -> list[str]:
    """Every path that becomes a resource with everything below it; empty for the root itself."""
    versioned = [f"api/{API_VERSION}/{prefix}" for prefix in area.prefixes]
    aliases = [f"api/{prefix}" for prefix in area.prefixes]
    return [*area.roots, *versioned, *aliases]


def route(root: apigateway.IResource, area: Area, function: lambda_.IFunction, *, stream: bool) -> None:
    """Send every method of the area's paths, and of all below them, to its function."""
    target = integration(area, function, stream=stream)
    for path in paths(area):
        resource = root.resource_for_path(path) if path else root
        resource.add_method("ANY", target)
        if path:
            resource.add_proxy(default_integration=target, any_method=True)
