"""`cdk synth|deploy [-c target=aws|local] [-c setting=value …]`: the CDK app. infra/settings.py lists the settings."""

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from infra.settings import read_local_cloud, read_settings
from infra.stack import AtriumStack

STACK = "Atrium"


def build() -> App:
    """The app with its one stack. An account's stack is checked against rules: a finding that nobody accepted stops the synth."""
    app = App()
    settings = read_settings(app.node)
    local = read_local_cloud() if settings.local else None
    if local:
        # Checking takes longer than the rest of the synth, and what is checked is what an account gets.
        app.node.set_context("@aws-cdk/core:validateAgainstDefaultRules", False)
    else:
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    AtriumStack(app, STACK, settings=settings, local=local)
    return app


if __name__ == "__main__":
    build().synth()
