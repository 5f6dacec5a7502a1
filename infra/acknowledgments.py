"""How a finding of cdk-nag is accepted: one by one, on the construct it is about, with the reason."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, reason: str, *rules: str) -> None:
    """Accept `rules` (`AwsSolutions-IAM5[Resource::*]` names a single finding) on a construct and what is below it."""
    Validations.of(construct).acknowledge(*(Acknowledgment(id=rule, reason=reason) for rule in rules))
