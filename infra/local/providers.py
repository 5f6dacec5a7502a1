"""Model provider keys: from .env into the emulator's secret store, where functions look for them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from infra.local.emulator import Emulator

_PREFIX: Final = "atrium/providers/"
# Provider → the variable of its key, the variable of its base URL, and which of them makes the provider.
PROVIDERS: Final = {
    "openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_KEY"),
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"),
    "xai": ("XAI_API_KEY", "XAI_BASE_URL", "XAI_API_KEY"),
    "groq": ("GROQ_API_KEY", "GROQ_BASE_URL", "GROQ_API_KEY"),
    "ollama": ("OLLAMA_API_KEY", "OLLAMA_URL", "OLLAMA_URL"),
    "compatible": ("OPENAI_COMPATIBLE_API_KEY", "OPENAI_COMPATIBLE_URL", "OPENAI_COMPATIBLE_URL"),
}


def copy_provider_keys(emulator: Emulator, given: Mapping[str, str]) -> list[str]:
    """Write the secret of each provider that is `given`: its key, or its address where it is a server of one's own.

    Deletes the others'. Returns the providers that have one.

    `given` is a .env file's content; a key that happens to be exported in the shell is not meant for this.
    """
    client = emulator.client("secretsmanager")
    present = []
    for provider, (key, base_url, decisive) in PROVIDERS.items():
        if given.get(decisive):
            secret = {"api_key": given.get(key, "")} | (
                {"base_url": _endpoint(provider, given[base_url])} if given.get(base_url) else {}
            )
            _put(client, _PREFIX + provider, json.dumps(secret))
            present.append(provider)
        else:
            _delete(client, _PREFIX + provider)
    return present


def _endpoint(provider: str, url: str) -> str:
    """Ollama is known by its origin, OLLAMA_URL=http://127.0.0.1:11434; OpenAI's wire is below /v1 there."""
    bare = url.rstrip("/")
    return f"{bare}/v1" if provider == "ollama" and not bare.endswith("/v1") else bare


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
