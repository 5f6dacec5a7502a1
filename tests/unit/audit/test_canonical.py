"""The text that is hashed of an entry: fixed bytes, and no two entries with the same."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.audit.canonical import GENESIS, MEMBERS, canonical, chained, parse

ENTRY: Final[dict[str, Any]] = {
    "at": "2026-11-20T09:52:10.123456Z",
    "id": "019aa0f1-0000-7000-8000-000000000001",
    "actor": "user:019aa0f1-0000-7000-8000-000000000002",
    "action": "document.deleted",
    "detail": {"name": 'Jahresbericht "Ω"\n\x1f.pdf', "b": [1, None, True], "aa": {}},
    "target": "document:019aa0f1-0000-7000-8000-000000000003",
    "tenant_id": "019aa0f1-0000-7000-8000-000000000004",
    "request_id": "",
}
TEXT: Final = (
    '{"at": "2026-11-20T09:52:10.123456Z", "id": "019aa0f1-0000-7000-8000-000000000001", '
    '"actor": "user:019aa0f1-0000-7000-8000-000000000002", "action": "document.deleted", '
    '"detail": {"b": [1, null, true], "aa": {}, "name": "Jahresbericht \\"Ω\\"\\n\\u001f.pdf"}, '
    '"target": "document:019aa0f1-0000-7000-8000-000000000003", "tenant_id": "019aa0f1-0000-7000-8000-000000000004", '
    '"request_id": ""}'
)
FIRST: Final = "e3fa5d9c9d99633658ca081496a26104b38e5546f21dd76e09477dc466ca924f"
SECOND: Final = "49c851094cce2b915b03e80ed917958a81bb8bce7c24af446fdfec3721ab3728"

_numbers = st.integers() | st.from_regex(r"\A-?(0|[1-9][0-9]{0,40})\.[0-9]{1,40}\Z").map(parse)
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_values = st.recursive(
    st.none() | st.booleans() | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=8,
)
_details = st.dictionaries(_texts, _values, max_size=4)
_entries = st.fixed_dictionaries({name: _details if name == "detail" else _texts for name in MEMBERS})


def test_the_bytes_are_these_for_ever() -> None:
    first = chained(GENESIS, ENTRY)
    assert canonical(ENTRY) == TEXT
    assert (first.hex(), chained(first, ENTRY).hex()) == (FIRST, SECOND)


@pytest.mark.parametrize("text", ["1.10", "0.1000000000000000000001", "123456789012345678901234567890", "-0.0", "1e5"])
def test_a_number_keeps_its_digits(text: str) -> None:
    assert canonical(parse(text)) == text


@given(_entries)
def test_the_text_is_json_that_nothing_was_left_out_of(entry: dict[str, Any]) -> None:
    text = canonical(entry)
    assert canonical(parse(text)) == text
    assert _plain(parse(text)) == _plain(entry)


@given(_entries, _entries)
def test_entries_that_differ_have_different_texts(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (canonical(one) == canonical(other)) == (_plain(one) == _plain(other))


@given(_details)
def test_the_order_in_which_members_were_written_is_nothing(detail: dict[str, Any]) -> None:
    assert canonical(dict(reversed(detail.items()))) == canonical(detail)


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(TypeError, match="float"):
        canonical({"detail": {"share": 0.5}})


def _plain(value: object) -> object:
    """A value that is equal to another's where they are the same JSON, numbers by their digits; true is not 1."""
    match value:
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case None | bool():
            return json.dumps(value)
        case int():
            return ("number", str(value))
        case str():
            return (("text" if type(value) is str else "number"), str(value))
    raise TypeError(type(value))
