"""How every adapter reaches AWS: clients made on first use, calls in a thread, failures of the service translated once."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from atrium.kernel.errors import Unavailable

_TIMEOUTS = {"connect_timeout": 5, "read_timeout": 30, "retries": {"mode": "standard", "total_max_attempts": 3}}
# Emulators are reached by path; presigned URLs must be of signature version 4.
_S3_OPTIONS = {"s3": {"addressing_style": "path"}, "signature_version": "s3v4"}


@functools.cache
def client(service: str, endpoint_url: str | None = None) -> Any:  # noqa: ANN401  boto3's clients are made at run time
    """The process's boto3 client of a service; importing boto3 costs 180 ms, so it happens here."""
    import boto3
    from botocore.config import Config

    options = _TIMEOUTS | (_S3_OPTIONS if service == "s3" else {})
    return boto3.client(service, endpoint_url=endpoint_url, config=Config(**options))  # type: ignore[call-overload, arg-type]  # no literals


async def call[T](what: str, function: Callable[[], T], *, absent: tuple[str, ...] = (), default: T | None = None) -> T | None:
    """Run a blocking SDK call in a thread.

    A ClientError whose code is in `absent` gives `default`; every other failure is `Unavailable`, naming `what`.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return await asyncio.to_thread(function)
    except ClientError as exc:
        if exc.response.get("Error", {}).get("Code", "") in absent:
            return default
        raise Unavailable(f"{what} is unavailable") from exc
    except BotoCoreError as exc:
        raise Unavailable(f"{what} is unavailable") from exc
