"""Sentences of the activity."""

import pytest

from atrium.audit import phrases


@pytest.mark.parametrize(
    ("actor", "name", "said"),
    [
        ("user:1", "ada@example.com", "ada@example.com"), ("user:1", None, "a former user"),
        ("api_key:1", "CI", "the API key CI"), ("api_key:1", None, "an API key"), ("worker:0", None, "Atrium"),
        ("operator:1", None, "the operator"), ("anonymous", None, "somebody"), ("robot:1", None, "robot"),
    ],
)  # fmt: skip
def test_who(actor: str, name: str | None, said: str) -> None:
    assert phrases.who(actor, name) == said


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("document.deleted", "Ada deleted document {x}"), ("provider_key.put", "Ada put provider key {x}"),
        ("auth.logged_in", "Ada logged in"), ("auth.login_failed", "Ada failed to log in as {x}"),
        ("prompt.label.moved", "Ada moved prompt label {x}"), ("llm_default.set", "Ada set the default model for {x}"),
        ("provider_key.set", "Ada set the key of provider {x}"),
    ],
)  # fmt: skip
def test_what_was_done(action: str, said: str) -> None:
    """A name that looks like a place for one is a name."""
    assert phrases.change("Ada", action, "{x}") == said


def test_without_a_target_the_sentence_ends() -> None:
    assert phrases.change("Ada", "limit.removed", "") == "Ada removed limit"


@pytest.mark.parametrize(("kind", "said"), [("ocr", "Atrium read scanned pages with m ({f})"), ("new", "Atrium called m ({f})")])
def test_a_call(kind: str, said: str) -> None:
    assert phrases.call("Atrium", kind, "m", "{f}") == said


@pytest.mark.parametrize(
    ("target", "said"), [("tenant:1", "the organisation"), ("ledger:2026-11-18", "2026-11-18"), ("bare", "bare"), ("", "")]
)
def test_what_has_no_name(target: str, said: str) -> None:
    assert phrases.what(target) == said
