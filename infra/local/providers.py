"""Model provider keys: from .env into the emulator's secret store, where functions look for them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from infra.local.emulator import Emulator

_PREFIX: Final = "atrium/providers/"
# Provider → the variable of its key, the variable of its base URL.
PROVIDERS: Final = {"openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL")}


def copy_provider_keys(emulator: Emulator, given: Mapping[str, str]) -> list[str]:
    """Write the secret of each provider whose key is `given`, delete the others'. Returns the providers that have one.

    `given` is a .env file's content; a key that happens to be exported in the shell is not meant for this.
    """
    client = emulator.client("secretsmanager")
    present = []
    for provider, (key, base_url) in PROVIDERS.items():
        if given.get(key):
            secret = {"api_key": given[key]} | ({"base_url": given[base_url]} if given.get(base_url) else {})
            _put(client, _PREFIX + provider, json.dumps(secret))
            present.append(provider)
        else:
            _delete(client, _PREFIX + provider)
    return present


def read_env(path: Path) -> dict[str, str]:
    """`NAME=value` lines; quotes around a value are taken off, `#` lines and empty values are skipped."""
    if not path.exists():
        return {}
    pairs = (
        line.removeprefix("export ").partition("=") for line in path.read_text().splitlines() if not line.lstrip().startswith("#")
    )
    return {name.strip(): value.strip().strip("'\"") for name, _, value in pairs if value.strip().strip("'\"")}


def _put(client: Any, name: str, value: str) -> None:  # noqa: ANN401  a boto3 client
    try:
        client.put_secret_value(SecretId=name, SecretString=value)
    except client.exceptions.ResourceNotFoundException:
        client.create_secret(Name=name, SecretString=value)


def _delete(client: Any, name: str) -> None:  # noqa: ANN401  a boto3 client
    try:
        client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    except client.exceptions.ResourceNotFoundException:
        return
