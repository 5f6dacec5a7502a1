import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.prompts.templates import Template, TemplateError, TooLong, Value, Variable, as_text, parse, render

LIMIT = 1_000_000
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True)
# Braces and backslashes beside each other are what can go wrong.
HOSTILE = st.text(alphabet=st.sampled_from(list("{}\\ a_1\n%$")), max_size=60) | st.text(max_size=60)
VALUES = st.dictionaries(
    NAMES, HOSTILE | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False), max_size=5
)


def filled(text: str, **values: Value) -> str:
    return render([parse(text)], values, limit=LIMIT)[0]


def escaped(text: str) -> str:
    """A template of a text, whatever is in it; by the rule in the module's first lines."""
    written, slashes, at = "", 0, 0
    while at < len(text):
        if text.startswith("{{", at):
            written += "\\" * (slashes + 1) + "{{"
            slashes, at = 0, at + 2
            continue
        slashes = slashes + 1 if text[at] == "\\" else 0
        written += text[at]
        at += 1
    return written


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("Hello {{name}}!", "Hello Ada!"),
        ("{{ name }}{{\tname\t}}", "AdaAda"),
        ('{"a": {"b": "{{name}}"}}', '{"a": {"b": "Ada"}}'),
        ('{"a": {{name}}}', '{"a": Ada}'),
        ("{{{name}}}", "{Ada}"),
        (r"\{{name}}", "{{name}}"),
        (r"\\{{name}}", "\\Ada"),
        (r"\\\{{name}}", "\\{{name}}"),
        (r"C:\temp \n {x} }} { {", r"C:\temp \n {x} }} { {"),
        (r"\{{{{name}}", "{{Ada"),
        ("", ""),
    ],
)
def test_templates_and_what_they_show(template: str, shown: str) -> None:
    assert filled(template, name="Ada") == shown


@pytest.mark.parametrize(
    "template",
    [
        "{{",
        "{{}}",
        "{{ }}",
        "{{a b}}",
        "{{a.b}}",
        "{{#if a}}",
        "{{a|upper}}",
        "{{ a",
        "{{a}",
        "{{1a}}",
        "{{a\n}}",
        "{{ä}}",
        "{{" + "a" * 65 + "}}",
    ],
)
def test_what_is_no_variable_is_refused_with_its_place(template: str) -> None:
    with pytest.raises(TemplateError, match="line 2, column 4: "):
        parse(f"one\ntwo{template}")


def test_values_are_never_templates() -> None:
    assert filled("{{a}} {{b}}", a="{{b}}", b=r"\{{a}}") == r"{{b}} \{{a}}"


def test_numbers_and_truth_are_written_as_json_does() -> None:
    assert filled("{{a}} {{b}} {{c}}", a=3, b=True, c=0.5) == "3 true 0.5"


@given(HOSTILE.filter(lambda text: "{{" not in text))
def test_text_without_variables_stays_what_it_is(text: str) -> None:
    assert parse(text) == Template((text,) if text else ())
    assert filled(text) == text


@given(HOSTILE)
def test_every_text_can_be_written(text: str) -> None:
    assert parse(escaped(text)).names == frozenset()
    assert filled(escaped(text)) == text


@given(st.lists(HOSTILE | NAMES.map(Variable), max_size=8), VALUES)
def test_values_stand_where_their_names_stood(pieces: list[str | Variable], values: dict[str, Value]) -> None:
    pieces = [piece for piece in pieces if isinstance(piece, str) or piece.name in values]
    # A backslash right before a variable is an escape; a brace right before one is text.
    written = [f"{{{{{piece.name}}}}}" if isinstance(piece, Variable) else escaped(piece).rstrip("\\{") + " " for piece in pieces]
    plain = [
        as_text(values[piece.name]) if isinstance(piece, Variable) else filled(escaped(piece).rstrip("\\{") + " ")
        for piece in pieces
    ]
    assert filled("".join(written), **values) == "".join(plain)


@given(HOSTILE)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        template = parse(text)
    except TemplateError:
        return
    assert all(name.isidentifier() for name in template.names)
    assert filled(text, **dict.fromkeys(template.names, "")) is not None


@pytest.mark.parametrize("unit", ["{", "\\", "{{a}}", "\\{{", "}}", "{ ", "{{a", "{{ " + " " * 50, "\\" * 9 + "{"])
def test_hostile_texts_take_time_in_proportion(unit: str) -> None:
    text = (unit * 400_000)[:400_000]
    started = time.process_time()
    with suppress(TemplateError):
        parse(text)
    assert time.process_time() - started < 2


def test_a_short_template_does_not_make_a_long_text() -> None:
    with pytest.raises(TooLong):
        render([parse("{{a}}" * 20_000)], {"a": "x" * 100_000}, limit=LIMIT)


def test_a_missing_value_is_named() -> None:
    with pytest.raises(KeyError, match="b"):
        filled("{{a}}{{b}}", a="")
