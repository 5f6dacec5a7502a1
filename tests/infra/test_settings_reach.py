"""What docs/configuration.md says a deployer may choose reaches the functions."""

import re

from atrium.kernel.settings import Settings as FunctionSettings
from infra.local.cloud import SETTINGS
from infra.packaging.places import ROOT
from infra.settings import Settings
from tests.infra.template import Template

# The same in every deployment, or of the local cloud and the tests alone.
FIXED = {
    "DATABASE_PASSWORD", "DATABASE_POOL_SIZE", "S3_PUBLIC_URL", "TOKEN_ISSUER", "TOKEN_AUDIENCE", "ACCESS_TOKEN_TTL",
    "UPLOAD_LIMIT", "BODY_LIMIT", "CHAT_BODY_LIMIT", "CHAT_TIMEOUT", "DOCUMENT_LIMIT", "SSE_HEARTBEAT",
}  # fmt: skip


def test_every_setting_is_set_or_fixed(aws: Template) -> None:
    functions = aws.properties("AWS::Lambda::Function")
    told = {name for each in functions for name in each.get("Environment", {}).get("Variables", {})}
    names = {str(field.validation_alias or name).upper() for name, field in FunctionSettings.model_fields.items()}
    assert names - told == FIXED


def test_a_laptop_sets_only_what_a_deployment_knows() -> None:
    assert set(SETTINGS) <= set(Settings.model_fields)
    assert {"reranker", "index_threshold", "rate_limit_principal", "rate_limit_tenant", "rate_limit_public"} <= set(SETTINGS)


def test_the_operators_table_names_every_choice() -> None:
    table = (
        (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").split("| context | default | meaning |")[1].split("\n\n")[0]
    )
    named = {name for line in table.splitlines() for name in re.findall(r"`([a-z_]+)`", line.split(" | ")[0])}
    # What the target decides, and where a build lies.
    assert named == set(Settings.model_fields) - {"target", "build_dir"}
