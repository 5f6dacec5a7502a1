"""Invitations and password resets by SES: one function may send, from one address."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.functions import Functions
from infra.settings import Settings


class Mail(Construct):
    """The right to send as `mail_from`; nothing without one, and nothing on the local cloud, where no mail is sent.

    The identity, of the address or of its domain, is verified in SES by people: it needs their DNS or their mailbox.
    """

    def __init__(self, scope: Construct, name: str, *, settings: Settings, functions: Functions) -> None:
        super().__init__(scope, name)
        if settings.mail_from and not settings.local:
            functions["auth"].add_to_role_policy(_may_send(Stack.of(self), settings.mail_from))


def _may_send(stack: Stack, sender: str) -> iam.PolicyStatement:
    names = (sender, sender.rpartition("@")[2])
    return iam.PolicyStatement(
        actions=["ses:SendEmail"],
        resources=[stack.format_arn(service="ses", resource="identity", resource_name=each) for each in names],
        # A domain's identity sends as anybody there.
        conditions={"StringEquals": {"ses:FromAddress": sender}},
    )
