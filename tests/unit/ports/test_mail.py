"""Mail through SES, against moto: what arrives, and what a refusal is to the caller."""

import traceback

import pytest
from botocore.exceptions import ClientError
from moto.ses.models import ses_backends

from atrium.kernel.errors import Unavailable
from atrium.kernel.settings import Settings
from atrium.ports import aws
from atrium.ports.mail import SesMail
from atrium.runtime import Runtime

SENDER = "atrium@example.com"


pytestmark = pytest.mark.usefixtures("cloud")


async def test_a_mail_goes_to_one_person_as_text() -> None:
    aws.client("sesv2").create_email_identity(EmailIdentity=SENDER)
    await SesMail(SENDER).send("bob@example.com", "Grüße", "A line.\nAnother.")
    ((account, regions),) = ((name, backends) for name, backends in ses_backends.items() if backends["us-east-1"].sent_messages)
    assert account
    (message,) = regions["us-east-1"].sent_messages
    assert (message.source, message.destinations["ToAddresses"]) == (SENDER, ["bob@example.com"])
    assert (message.subject, message.body) == ("Grüße", "A line.\nAnother.")


async def test_a_sender_that_is_not_verified_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="mail is unavailable"):
        await SesMail(SENDER).send("bob@example.com", "Subject", "Text")


async def test_the_log_has_the_code_and_not_what_the_service_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "MessageRejected", "Message": "no: <bob>"}}, "SendEmail")

    monkeypatch.setattr(aws.client("sesv2"), "send_email", refuse)
    with pytest.raises(Unavailable) as refused:
        await SesMail(SENDER).send("bob@example.com", "Subject", "Text")
    assert "<bob>" not in "".join(traceback.format_exception(refused.value))
    (logged,) = [record for record in caplog.records if record.name == "atrium.ports.mail"]
    assert "<bob>" not in logged.getMessage()
    assert logged.exc_info is None
    assert logged.__dict__["error"] == "MessageRejected"


def test_which_mail_there_is_follows_from_the_settings() -> None:
    assert Runtime(Settings().model_copy(update={"mail_from": SENDER})).mail is None
    on_aws = Settings().model_copy(update={"target": "aws"})
    with pytest.raises(Unavailable, match="MAIL_FROM"):
        _ = Runtime(on_aws).mail
    assert isinstance(Runtime(on_aws.model_copy(update={"mail_from": SENDER})).mail, SesMail)
