"""Mail to one person."""

from typing import Protocol

from atrium.ports import aws


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

        await aws.call("mail", send)
