"""JSON is read as RFC 8259 says, and what two readers could read differently is refused."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.kernel.errors import MalformedRequest
from atrium.web.strict_json import MAX_DEPTH, is_plain_text, parse

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20
)


@given(VALUES, st.booleans())
def test_what_json_writes_is_read_as_it_was(value: object, ascii_only: bool) -> None:
    assert parse(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\u0dDfF123e+-.ntrue falsNI', max_size=80).map(str.encode))
def test_any_bytes_are_a_value_or_a_malformed_request(raw: bytes) -> None:
    try:
        value = parse(raw)
    except MalformedRequest:
        return
    assert value == json.loads(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[1,]",
        b"{'a': 1}",
        b"// nothing\n1",
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": 1, "\\u0061": 2}',
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"9223372036854775808",
        b"-9223372036854775809",
        b"1" * 5000,
        b'"\\u0000"',
        b'{"\\u0000": 1}',
        b'"\x00"',
        b'"\\ud800"',
        b'["\\udc00\\ud800"]',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        b'"line\nbreak"',
        b"01",
        b"+1",
        b"1 2",
    ],
)
def test_what_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedRequest):
        parse(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"9223372036854775807", 2**63 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\\\u0000"', "\\u0000"),
        (b' {"a" : [ ] }\n', {"a": []}),
        (b"1e-999", 0.0),
    ],
)
def test_what_is_accepted(raw: bytes, value: object) -> None:
    assert parse(raw) == value


class TestDepth:
    def test_the_limit_itself_is_fine(self) -> None:
        assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)

    @pytest.mark.parametrize("opening", [b"[", b'{"a":'])
    def test_one_more_is_refused(self, opening: bytes) -> None:
        with pytest.raises(MalformedRequest, match="64 deep"):
            parse(opening * (MAX_DEPTH + 1) + b"1")

    def test_a_million_do_not_exhaust_the_stack(self) -> None:
        with pytest.raises(MalformedRequest, match="64 deep"):
            parse(b"[" * 1_000_000)

    def test_brackets_in_strings_do_not_count(self) -> None:
        assert parse(json.dumps(["[" * 1000, '"[' * 100, "\\["]).encode()) == ["[" * 1000, '"[' * 100, "\\["]

    def test_many_siblings_are_not_deep(self) -> None:
        assert parse(b"[" + b",".join([b"[]"] * 1000) + b"]") == [[]] * 1000

    def test_an_endless_string_of_escapes_is_read_in_one_pass(self) -> None:
        # Quadratic matching would take minutes here.
        with pytest.raises(MalformedRequest):
            parse(b"[" * 65 + b'"' + b'\\"' * 500_000)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_no_number_is_not_finite(number: float) -> None:
    raw = json.dumps([number]).encode()
    if math.isfinite(number):
        assert parse(raw) == [number]
    else:
        with pytest.raises(MalformedRequest):
            parse(raw)


@pytest.mark.parametrize(("text", "plain"), [("Grüße 😀", True), ("a\x00b", False), ("\ud800", False), ("", True)])
def test_plain_text_is_what_postgres_can_hold(text: str, plain: bool) -> None:
    assert is_plain_text(text) is plain
