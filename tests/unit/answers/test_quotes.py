"""A quote is found where it stands, forgiving only what carries no meaning."""

import re
import string
import unicodedata
from time import perf_counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from atrium.answers.quotes import MIN_WEIGHT, locate, locate_parts, weight

WORDS = st.text(alphabet=string.ascii_letters + "äöüßéñçЖя", min_size=1, max_size=10)
GLUE = st.sampled_from([" ", " ", " ", ", ", ". ", "\n", "  ", " – ", "; ", ' "', '" ', "’s "])
# What copying does to a text: other marks and dashes, other spaces, another case, emphasis, invisible characters.
NOISE = [
    lambda text: text.replace('"', "”").replace("’", "'"),
    lambda text: text.replace("–", "-"),
    lambda text: text.replace(" ", "  "),
    lambda text: text.replace("\n", " "),
    lambda text: text.replace(" ", "\u00a0"),
    lambda text: text.lower(),
    lambda text: text.upper() if "ß" not in text else text,
    lambda text: text.replace(" ", " \u200b"),
    lambda text: f"**{text}**",
    lambda text: text + ".",
    lambda text: f"“{text}”",
    lambda text: re.sub(r"\s", " [1] ", text, count=1),
    lambda text: text.replace("fi", "ﬁ").replace("ff", "ﬀ"),
    lambda text: unicodedata.normalize("NFD", text),
    lambda text: text.replace(" ", " | "),
]


@st.composite
def passages(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    """A passage and the spans of its words."""
    parts, spans, length = [], [], 0
    for word in draw(st.lists(WORDS, min_size=2, max_size=25)):
        spans.append((length, length + len(word)))
        parts += [word, glue := draw(GLUE)]
        length += len(word) + len(glue)
    return "".join(parts), spans


@given(data=st.data(), passage=passages())
def test_any_words_of_a_passage_are_found_where_they_stand(
    data: st.DataObject, passage: tuple[str, list[tuple[int, int]]]
) -> None:
    text, spans = passage
    first = data.draw(st.integers(0, len(spans) - 1))
    last = data.draw(st.integers(first, len(spans) - 1))
    start, end = spans[first][0], spans[last][1]
    quote = text[start:end]
    assume(weight(quote) >= MIN_WEIGHT)
    for noise in data.draw(st.lists(st.sampled_from(NOISE), max_size=3)):
        quote = noise(quote)

    found = locate(quote, text)

    assert found is not None
    # The same words may stand there more than once; the first is given.
    assert found == (start, end) or (
        text[slice(*found)].casefold().split() == text[start:end].casefold().split() and found[0] < start
    )


@given(passage=passages(), invented=st.text(alphabet=string.digits, min_size=4, max_size=8), at=st.floats(0, 1))
def test_an_invented_quote_is_never_found(passage: tuple[str, list[tuple[int, int]]], invented: str, at: float) -> None:
    text, _ = passage
    place = int(at * len(text))

    assert locate(text[:place] + f" {invented} " + text[place:], text) is None
    assert locate(invented, text) is None
    assert locate_parts(f"{text} … {invented}", text) == []


@given(text=st.text(max_size=200), quote=st.text(max_size=50))
def test_whatever_is_found_says_the_same(text: str, quote: str) -> None:
    found = locate(quote, text)

    if found is not None:
        start, end = found
        assert 0 <= start < end <= len(text)
        assert locate(text[start:end], text) is not None


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("legal", "This is illegal."),
        ("legal", "the legality of it"),
        ("rose by 5", "It rose by 5.7 percent"),
        ("rose by 5", "It rose by 5% again"),
        ("5 degrees", "at -5 degrees"),
        ("5 degrees", "at −5 degrees"),
        ("5 degrees", "at 0.5 degrees"),
        ("5 degrees", "at .5 degrees"),
        ("102 units", "about 10² units"),
        ("30 in the morning", "at 12:30 in the morning"),
        ("schon gelöst", "das ist schön gelöst"),
        ("cafe now", "the cafe\u0301 now"),
        ('a nail of 5" length', "a nail of 5' length"),
        ("23 sheep", "2*3 sheep"),
        ("is refundable", "is not refundable"),
        ("the", "the cat"),
        ("환불 정책은 다", "환불 정책은 달라요"),
        ("Hamster wheels 17", "Hamster wheels | 170"),
        ("Hamster wheels 17", "Hamster wheels | Cages | 17"),
        ("", "anything"),
        ("…", "anything … else"),
        ("***", "***"),
        ("5 percent", "of < 5 percent"),
        ("5 percent", "of >5 percent"),
        ("500 people", "about ~500 people"),
        ("1,200 thousand", "a result of -1,200 thousand"),
        ("1,200 in thousands", "Result | (1,200) in thousands"),
        ("1,200", "Result | (1,200)"),
    ],
)
def test_what_means_something_else_is_not_found(quote: str, text: str) -> None:
    assert locate(quote, text) is None


@pytest.mark.parametrize(
    ("quote", "text", "found"),
    [
        ("< 5 percent", "of < 5 percent", "< 5 percent"),
        ("(1,200) in thousands", "Result | (1,200) in thousands", "1,200) in thousands"),
        ("2024", "In that year (2024) it was", "2024"),
        ("an exact quote", "This is an exact quote, here", "an exact quote"),
        ("an example of", "We give an exam-\nple of this", "an exam-\nple of"),
        ("a well-known fact", "It is a well-\nknown fact", "a well-\nknown fact"),
        ("the office", "in the oﬃce building", "the oﬃce"),
        ("full width", "ｆｕｌｌ　ｗｉｄｔｈ text", "ｆｕｌｌ　ｗｉｄｔｈ"),
        ("soft hyphen", "a so\u00adft hy\u00adphen", "so\u00adft hy\u00adphen"),
        ("the café opens", "the cafe\u0301 opens", "the cafe\u0301 opens"),
        ("as shown by others", "as shown [12] by others", "as shown [12] by others"),
        ("fourteen days", "**fourteen** days", "**fourteen** days"[2:]),
        ("退款需要十四天", "根据政策退款需要十四天。", "退款需要十四天"),
        ("Straße 12", "in der STRASSE 12", "STRASSE 12"),
        ("in 1990-1995", "in 1990–1995 only", "in 1990–1995"),
        ("“to be”", 'or not "to be"', "to be"),
        ("Hamster wheels 17 pieces", "Article | Count\nHamster wheels | 17 pieces\nCages | 4", "Hamster wheels | 17 pieces"),
        ("| Hamster wheels | 17 pieces |", "Hamster wheels | 17 pieces", "Hamster wheels | 17 pieces"),
        ("Hamster wheels 17 pieces", "Hamster wheels\t17 pieces", "Hamster wheels\t17 pieces"),
        ("ﬁnal ofﬁce", "the final office of", "final office"),
        ("final office", "the ﬁnal oﬃce of", "ﬁnal oﬃce"),
        ("العقد ينتهي", "قال إن العَقْدُ يَنْتَهِي اليوم", "العَقْدُ يَنْتَهِي"),
        ("محمد كتب", "ثم محـمد كتب الرسالة", "محـمد كتب"),
        ("ﻣﺤﻤﺪ كتب", "ثم محمد كتب الرسالة", "محمد كتب"),
        ("שלום לכם", "אמר שָׁלוֹם לָכֶם היום", "שָׁלוֹם לָכֶם"),
        ("คืนเงินภายใน", "นโยบายคืนเงินภายใน 14 วัน", "คืนเงินภายใน"),
        ("十四日以内に", "返金は十四日以内に行われます", "十四日以内に"),
        ("정책은 다음", "환불 정책은 다음과 같습니다", "정책은 다음"),
    ],
)
def test_what_copying_changes_is_forgiven(quote: str, text: str, found: str) -> None:
    span = locate(quote, text)

    assert span is not None
    assert text[slice(*span)] == found


def test_a_quote_may_leave_something_out() -> None:
    text = "The term is seven years, unless both parties agree otherwise, from the first of May."

    spans = locate_parts("The term is seven years … from the first of May", text)

    assert [text[start:end] for start, end in spans] == ["The term is seven years", "from the first of May"]
    assert locate_parts("from the first of May … The term is seven years", text) == []


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("returns a List< String> of names", "It returns a List<String> of names."),
        ("call items[i] (once)", "Then call items[i](once)."),
        ("as was shown [?], prices rise", "as was shown [12], prices rise"),
        ("the value in row[a] : one", "the value in row[a]: one"),
    ],
)
def test_what_defuses_an_answer_does_not_hide_a_quote(quote: str, text: str) -> None:
    assert locate(quote, text) is not None


@pytest.mark.parametrize("hole", ["." * 100_000, " " * 100_000, "[ " * 50_000, "… " * 50_000, "'" * 100_000])
def test_a_quote_of_marks_and_spaces_is_read_once(hole: str) -> None:
    begun = perf_counter()
    locate_parts(f"a{hole}abcd", "What is quoted: abcd.")
    assert perf_counter() - begun < 3


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("The defendant was … guilty of fraud", "The defendant was found not guilty of fraud."),
        ("The pump may … be opened", "The pump may under pressure never be opened."),
        ("he did … pay the rent", "he surely did, though he couldn’t work, pay the rent"),
        ("Der Vertrag ist … gültig", "Der Vertrag ist laut Gericht nicht gültig."),
        ("il est … coupable", "il est, et n'a pas été, coupable"),
        ("合同是……有效的合同", "合同是不有效的合同"),
        (
            "Refunds are paid … for every claim",
            "Refunds are paid. " + "It is said. " * 50 + "It is so for every claim.",
        ),
        ("Refunds are paid … for every claim", "Refunds are paid " + "x" * 6000 + " for every claim."),
    ],
)
def test_what_an_ellipsis_leaves_out_turns_nothing_around(quote: str, text: str) -> None:
    assert locate_parts(quote, text) == []
