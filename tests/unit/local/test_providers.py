"""Which secrets the local cloud makes of a .env file."""

import json
from typing import Any

import pytest

from atrium.providers.catalogue import providers
from infra.local.providers import PROVIDERS, copy_provider_keys


class SecretStore:
    """The emulator's secret store as boto3 shows it."""

    class exceptions:  # noqa: N801  as boto3 names it
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self) -> None:
        self.values: dict[str, Any] = {"atrium/providers/openai": {"api_key": "old"}}

    def client(self, service: str) -> "SecretStore":
        assert service == "secretsmanager"
        return self

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> None:  # noqa: N803
        if SecretId not in self.values:
            raise self.exceptions.ResourceNotFoundException
        self.create_secret(Name=SecretId, SecretString=SecretString)

    def create_secret(self, *, Name: str, SecretString: str) -> None:  # noqa: N803
        self.values[Name] = json.loads(SecretString)

    def delete_secret(self, *, SecretId: str, ForceDeleteWithoutRecovery: bool) -> None:  # noqa: N803
        assert ForceDeleteWithoutRecovery
        if self.values.pop(SecretId, None) is None:
            raise self.exceptions.ResourceNotFoundException


@pytest.mark.parametrize(
    ("given", "secrets"),
    [
        ({}, {}),
        ({"OPENAI_API_KEY": "sk"}, {"openai": {"api_key": "sk"}}),
        ({"OPENAI_API_KEY": "sk", "OPENAI_BASE_URL": "http://x/v1"}, {"openai": {"api_key": "sk", "base_url": "http://x/v1"}}),
        ({"ANTHROPIC_API_KEY": "sk-ant"}, {"anthropic": {"api_key": "sk-ant"}}),
        ({"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "http://a"}, {"anthropic": {"api_key": "k", "base_url": "http://a"}}),
        ({"XAI_API_KEY": "xai", "GROQ_API_KEY": "gsk"}, {"xai": {"api_key": "xai"}, "groq": {"api_key": "gsk"}}),
        ({"OLLAMA_URL": "http://127.0.0.1:11434/"}, {"ollama": {"api_key": "", "base_url": "http://127.0.0.1:11434/v1"}}),
        ({"OLLAMA_URL": "http://o/v1"}, {"ollama": {"api_key": "", "base_url": "http://o/v1"}}),
        ({"OPENAI_COMPATIBLE_API_KEY": "k"}, {}),
        (
            {"OPENAI_COMPATIBLE_URL": "http://v/openai", "OPENAI_COMPATIBLE_API_KEY": "k"},
            {"compatible": {"api_key": "k", "base_url": "http://v/openai"}},
        ),
    ],
)
def test_a_provider_is_made_of_what_it_needs(given: dict[str, str], secrets: dict[str, Any]) -> None:
    store: Any = SecretStore()
    assert copy_provider_keys(store, given) == list(secrets)
    assert store.values == {f"atrium/providers/{name}": secret for name, secret in secrets.items()}


def test_what_makes_a_provider_is_the_setting_that_its_errors_name() -> None:
    assert {name: decisive for name, (_, _, decisive) in PROVIDERS.items()} == {
        each.name: each.setting for each in providers().values()
    }
