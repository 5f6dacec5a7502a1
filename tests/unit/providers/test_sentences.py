"""Cutting text into sentences that can be quoted."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.providers.sentences import sentence_ends, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        (
            "Dr. Smith paid $3.50 to J. Doe, e.g. for No. 7. Then he left.",
            ["Dr. Smith paid $3.50 to J. Doe, e.g. for No. 7.", "Then he left."],
        ),
        ("He said “Stop.” She went on.", ["He said “Stop.”", "She went on."]),
        ("The U.S. Army came. It stayed.", ["The U.S. Army came.", "It stayed."]),
        ("A title\n\nIts text.", ["A title", "Its text."]),
        ("Warranty\nThe warranty period is two years.", ["Warranty", "The warranty period is two years."]),
        ("Tools:\n- a hammer\n- a saw", ["Tools:", "- a hammer", "- a saw"]),
        ("今天天气很好。我们去公园！", ["今天天气很好。", "我们去公园！"]),
        ("彼は「行く。」と言った。終わり", ["彼は「行く。」", "と言った。", "終わり"]),
        ("هل هذا سؤال؟ نعم. انتهى", ["هل هذا سؤال؟", "نعم.", "انتهى"]),
        ("یہ ایک جملہ ہے۔ دوسرا جملہ۔", ["یہ ایک جملہ ہے۔", "دوسرا جملہ۔"]),
        ("यह एक वाक्य है। दूसरा वाक्य।", ["यह एक वाक्य है।", "दूसरा वाक्य।"]),
        (
            "Siehe Abb. 3 bzw. Kap. 4, z. B. Hr. Maier. Danach Abs. 2.",
            ["Siehe Abb. 3 bzw. Kap. 4, z. B. Hr. Maier.", "Danach Abs. 2."],
        ),
        ("Mme Curie, cf. pág. 7 et núm. 8. См. рис. 2. Конец.", ["Mme Curie, cf. pág. 7 et núm. 8.", "См. рис. 2.", "Конец."]),
        ("", []),
        (" \n ", []),
    ],
)
def test_where_sentences_end(text: str, expected: list[str]) -> None:
    assert list(sentences(text)) == expected


def test_a_wrapped_line_does_not_end_a_sentence() -> None:
    text = "The warranty period of this product is two full years from\nthe day on which it was bought. Keep the receipt."
    assert list(sentences(text)) == [text[: text.index(" Keep")], "Keep the receipt."]


def test_a_wrapped_line_is_no_end_however_short_the_sentence_was_so_far() -> None:
    text = "The badge opens every door of the building you work in. If you lose it, call\nthe desk at once."
    assert list(sentences(text))[1:] == ["If you lose it, call\nthe desk at once."]


def test_a_row_stays_alone() -> None:
    rows = ["United Kingdom | 58 euros | 29 euros | 165 euros", "Spain | 48 euros | 24 euros | 120 euros"]
    lines = ["S1 Danger to people or an uncontrolled discharge 15 minutes", "S2 An instrument has stopped measuring 1 hour"]
    assert list(sentences("\n".join(rows))) == rows
    assert list(sentences("\n".join(lines))) == lines


@given(st.text(alphabet='ab. !?\n-1A"”)', max_size=80))
def test_sentences_are_pieces_of_the_text_in_order(text: str) -> None:
    at = 0
    for sentence in sentences(text):
        at = text.index(sentence, at) + len(sentence)
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


@given(st.text(alphabet='ab. !?\n-1A"”)。', max_size=80), st.integers(0, 40), st.integers(0, 80))
def test_ends_lie_in_the_span_in_order(text: str, start: int, stop: int) -> None:
    ends = list(sentence_ends(text, start, stop))
    assert ends == sorted(set(ends))
    assert all(start < end <= stop for end in ends)


@pytest.mark.parametrize("piece", [".", '."', ". ", "\n", "\n ", " ", "。」", "!?", "a.\n"])
def test_the_work_grows_with_the_text(piece: str) -> None:
    started = process_time()
    assert len(list(sentence_ends(piece * 100_000))) <= 200_000
    assert process_time() - started < 4
