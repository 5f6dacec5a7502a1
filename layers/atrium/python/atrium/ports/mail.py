"""Mail to one person."""

import logging
from typing import Any, Final, Protocol

from atrium.kernel.errors import Unavailable
from atrium.ports import aws

_log: Final = logging.getLogger(__name__)


class Mail(Protocol):
    """Sends text. Errors: `Unavailable` when it was not taken over, whoever is to blame; nothing was sent then."""

    async def send(self, to: str, subject: str, text: str) -> None:
        """Hand over one mail; `to` is one address, `subject` one line."""
        ...


class SesMail:
    """`Mail` through SES (API version 2), from one address whose identity is verified there."""

    def __init__(self, sender: str) -> None:
        self._sender = sender

    async def send(self, to: str, subject: str, text: str) -> None:
        """See `Mail.send`."""

        def send() -> None:
            aws.client("sesv2").send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": [to]},
                Content={
                    "Simple": {
                        "Subject": {"Data": subject, "Charset": "UTF-8"},
                        "Body": {"Text": {"Data": text, "Charset": "UTF-8"}},
                    }
                },
            )

        try:
            await aws.call("mail", send)
        except Unavailable as error:
            # The service's own text may name the recipient: of it the code is logged, and nothing goes on with the error.
            _log.error("a mail was refused", extra={"error": _code(error.__cause__)})
            raise Unavailable(error.detail) from None


def _code(cause: BaseException | None) -> str:
    response: dict[str, Any] = getattr(cause, "response", {})
    return str(response.get("Error", {}).get("Code", type(cause).__name__))
