"""What may be relayed: nothing that costs more than was reserved, or that makes a server fetch from inside."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.gateway.wire_fields import FIELDS, PARTS, check_wire, limit_of
from atrium.kernel.errors import InvalidFields

MESSAGES = [{"role": "user", "content": "Hi"}]
COSTLY: dict[str, Any] = {
    "service_tier": "priority",
    "prediction": {"type": "content", "content": "x"},
    "audio": {"voice": "alloy"},
    "modalities": ["text", "audio"],
    "best_of": 5,
    "min_tokens": 100,
    "n_predict": 5000,
    "store": True,
    "metadata": {"a": "b"},
    "transforms": ["middle-out"],
    "web_search_options": {},
    "search_parameters": {"mode": "on"},
    "search_settings": {"include_domains": ["example.com"]},
    "compound_custom": {"models": {"reasoning_model": "dear/one"}},
    "plugins": [{"id": "web"}],
    "deferred": True,
    "background": True,
    "models": ["dear/one"],
    "route": "fallback",
    "provider": {"order": ["dear"]},
}
HARMLESS: dict[str, Any] = {"service_tier": "auto", "modalities": ["text"], "best_of": 1, "store": False, "deferred": False}


def check(*, own: bool = False, priced: bool = True, **fields: Any) -> None:
    check_wire({"messages": MESSAGES, **fields}, own=own, priced=priced)


def part(content: Any, *, own: bool = False, priced: bool = True) -> None:
    check(own=own, priced=priced, messages=[{"role": "user", "content": [content]}])


def test_every_rule_has_a_case() -> None:
    assert set(COSTLY) == set(FIELDS)
    assert set(PARTS) == {"input_audio"}


@pytest.mark.parametrize("name", list(COSTLY))
def test_what_costs_more_or_acts_elsewhere_is_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidFields) as caught:
        check(**{name: COSTLY[name]})
    (error,) = caught.value.errors
    assert (error.pointer, error.detail) == (f"/{name}", FIELDS[name].reason)
    with pytest.raises(InvalidFields):
        check(own=True, priced=True, **{name: COSTLY[name]})


@pytest.mark.parametrize("name", list(COSTLY))
def test_a_server_of_ones_own_without_a_price_may_be_asked_for_what_harms_nobody(name: str) -> None:
    told = None
    try:
        check(own=True, priced=False, **{name: COSTLY[name]})
    except InvalidFields as error:
        told = error
    assert (told is None) is FIELDS[name].own


@given(st.dictionaries(st.sampled_from(["temperature", "seed", "user", "logit_bias", "unknown", *HARMLESS]), st.none()))
def test_what_asks_for_nothing_passes(fields: dict[str, Any]) -> None:
    check(**HARMLESS)
    check(**fields)
    assert limit_of(fields) is None


@pytest.mark.parametrize("tool", [{"type": "web_search"}, {"type": "mcp"}, {"function": {"name": "f"}}, "f"])
def test_tools_that_the_provider_runs_are_refused(tool: Any) -> None:
    with pytest.raises(InvalidFields):
        check(tools=[{"type": "function", "function": {"name": "f"}}, tool])
    check(tools=[{"type": "custom", "custom": {"name": "f"}}])


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize(
    "content",
    [
        {"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest/meta-data/"}},
        {"type": "image_url", "image_url": "file:///etc/passwd"},
        {"image_url": {"url": "https://169.254.169.254/"}},
        {"type": "video_url", "video_url": {"url": "https://metadata.google.internal/"}},
        {"type": "audio_url", "audio_url": {"nested": ["http://[::1]/"]}},
        {"type": "image_url", "image_url": {"url": "https://user:pw@example.com/"}},
        {"type": "image_url", "image_url": {"url": "https://:pw@example.com/"}},
        {"type": "image_url", "image_url": {"url": "https://example.com:8080/"}},
        {"type": "image_url", "image_url": {"url": "https://exam\tple.com/"}},
        {"type": "image_url", "image_url": {"url": ""}},
        {"type": "file", "file": {"file_data": "http://10.0.0.1/a.pdf"}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ],
)
def test_what_would_be_fetched_from_inside_is_refused(content: Any, own: bool) -> None:
    with pytest.raises(InvalidFields):
        part(content, own=own, priced=not own)


def test_pictures_pass_as_data_and_to_hosted_providers_by_public_names() -> None:
    public = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}
    data = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
    file = {"type": "file", "file": {"file_data": "AAAA", "filename": "a: b.pdf"}}
    part(public)
    for own in (True, False):
        part(data, own=own)
        part(file, own=own)
        part({"type": "text", "text": "see http://10.0.0.1/"}, own=own)
    with pytest.raises(InvalidFields):
        part(public, own=True, priced=False)


def test_sound_is_for_unpriced_servers() -> None:
    sound = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    part(sound, own=True, priced=False)
    with pytest.raises(InvalidFields):
        part(sound)


@given(st.none() | st.integers(1, 99), st.none() | st.integers(1, 99))
def test_the_smaller_limit_holds(one: int | None, other: int | None) -> None:
    given_ = [each for each in (one, other) if each]
    assert limit_of({"max_tokens": one, "max_completion_tokens": other}) == (min(given_) if given_ else None)
