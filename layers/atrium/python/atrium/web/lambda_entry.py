"""From a Lambda event to the application and back: Mangum on the container's one event loop."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI

LambdaHandler = Callable[[dict[str, Any], object], dict[str, Any]]
# Everything else is base64, which API Gateway decodes only for its declared binary types.
_TEXT: Final = [
    "text/",
    "application/json",
    "application/problem+json",
    "application/jwk-set+json",
    "application/javascript",
    "application/openmetrics-text",
]


def mangum_handler(app: FastAPI) -> LambdaHandler:
    """Make the module's `handler`. No lifespan: Mangum would start and stop the application every request."""
    from mangum import Mangum

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    adapter = Mangum(app, lifespan="off", text_mime_types=_TEXT)

    def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
        # Mangum takes the current loop; another library may have changed it since.
        asyncio.set_event_loop(loop)
        result: dict[str, Any] = adapter(event, context)  # type: ignore[arg-type]  # Lambda's context is duck-typed
        return result

    return handler
