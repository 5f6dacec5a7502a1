"""What a call can come to: counts that are rather too high, and plans that hold."""

import base64
import zlib
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random
from string import ascii_lowercase
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.gateway import dense_text
from atrium.gateway.bounds import LEAST_ANSWER, count_body, count_input, count_text, plan
from atrium.gateway.dense_text import extra_pieces
from atrium.gateway.pdf_bounds import PAGE, count_pages, count_pdf
from atrium.kernel.errors import ContextTooLong, InvalidInput
from atrium.providers.base import ChatRequest, File, Image, JsonSchema, Message, Text, Tool, ToolCall, Usage
from atrium.providers.catalogue import Price, chat_spec
from atrium.providers.piece_counter import PieceCounter

# What vocabularies know: Cyrillic, Vietnamese's letters, punctuation and symbols, CJK with kana and Hangul, fullwidth forms.
COMMON_SCRIPTS = [
    *(*range(0x400, 0x530), *range(0x1E00, 0x2000), *range(0x2000, 0x2C00), *range(0x2E80, 0x3400), *range(0x4DC0, 0xA000)),
    *(*range(0xAC00, 0xD800), *range(0xFF00, 0xFFF0)),
]
PRICE = Price(150, 600, 75, date(2026, 1, 1), "a test")
SPEC = replace(chat_spec("openai/gpt-4o-mini"), context_window=10_000, max_output=1000, price=PRICE)


def asked(*content: Text | Image | File, model: str = "openai/gpt-4o", **fields: object) -> int:
    return count_input(replace(ChatRequest(model, (Message("user", content),)), **fields))  # type: ignore[arg-type]


def test_everything_that_is_told_counts() -> None:
    text = asked(Text("a question"))
    tool = Tool("weather", "How it is outside", {"type": "object", "properties": {"city": {"type": "string"}}})
    call = Message("assistant", "", (ToolCall("1", "weather", '{"city": "Oslo"}'),))
    assert asked(Text("a question"), tools=(tool,)) > text + 20
    assert asked(Text("a question"), response_format=JsonSchema(schema={"type": "object"})) > text
    assert count_input(ChatRequest("m", (call,))) > 8
    assert asked(Image(url="https://example.com/a")) >= 1445, "what eight tiles cost"
    assert asked(Image(data=b"x", media_type="image/png"), model="openai/gpt-4o-mini") >= 48_169
    assert asked(Image(url="https://example.com/a", detail="low")) < 3000


def test_a_body_counts_as_its_request() -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    body = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "a question"}], "tools": [tool]}
    assert count_body(body) >= asked(Text("a question"))
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    assert 2000 < count_body({"model": "gpt-4o", "messages": [{"role": "user", "content": [picture]}]}) < 10_000
    assert count_body({"model": "m", "input": [[1, 2, 3], [4, 5]]}) == count_body({"model": "m", "input": ""}) + 5
    assert count_body({"model": "m", "input": ["one two", "three"]}) > 3


def test_fields_that_nobody_here_knows_count_as_their_text() -> None:
    bare = {"model": "groq/openai/gpt-oss-120b", "messages": [{"role": "user", "content": "Hi"}]}
    documents = ["word " * 100_000]
    assert count_body(bare | {"documents": documents}) > 100_000
    assert count_body(bare | {"chat_template_kwargs": {"documents": documents}}) > 100_000
    assert count_body(bare | {"guided_grammar": "word " * 1_000}) > 1_000
    known = {"temperature": 0.5, "stream": True, "stream_options": {"include_usage": True}, "max_tokens": 5, "user": "x" * 90}
    assert count_body(bare | known) == count_body(bare)


@given(st.dictionaries(st.text(max_size=9), st.text(min_size=1, max_size=40), min_size=1))
def test_whatever_is_unknown_counts(fields: dict[str, str]) -> None:
    bare = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    unknown = {f"x_{name}": value for name, value in fields.items()}
    assert count_body(bare | unknown) >= count_body(bare) + sum(count_text(each) for each in fields.values()) / 2


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.lists(each) | st.dictionaries(st.text(), each)
    )
)
def test_no_body_is_too_strange(value: object) -> None:
    for body in (
        {"messages": value},
        {"messages": [value]},
        {"messages": [{"content": [value]}]},
        {"input": value},
        {"tools": value},
    ):
        assert count_body(body) > 0


@given(st.text(max_size=300))
def test_a_text_counts_at_least_a_token_for_twelve_bytes(text: str) -> None:
    assert count_text(text) * 12 >= len(text.encode("utf-8", "surrogatepass"))


RARE = st.characters(
    min_codepoint=0x370,
    exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"],
    exclude_characters=[chr(each) for each in COMMON_SCRIPTS],
)


@given(st.text(alphabet=RARE, min_size=1, max_size=300))
def test_scripts_that_vocabularies_know_badly_count_by_their_bytes(text: str) -> None:
    assert count_text(text) * 2.5 >= len(text.encode())


@given(st.text(alphabet="bcdfghjklmnpqrstvwxzBCDFGHJKLMNPQRSTVWXZ", min_size=8, max_size=300), st.text("aeiou", min_size=8))
def test_letters_without_a_word_among_them_count_by_their_bytes(consonants: str, vowels: str) -> None:
    for text in (consonants, vowels):
        assert count_text(text) * 2.5 >= len(text)


@pytest.mark.parametrize("text", ["\U00013000" * 1000, "bcdfghjklmnpqrstvwxz" * 105, "\U0001f600" * 500])
def test_what_is_no_word_anywhere_counts_a_token_for_two_bytes(text: str) -> None:
    assert count_text(text) * 2 >= len(text.encode())


def test_random_letters_count_a_token_for_little_more_than_two_bytes() -> None:
    random = Random(1)
    letters = "".join(random.choices(ascii_lowercase, k=10_000))
    encoded = base64.b64encode(random.randbytes(7_500)).decode()
    assert count_text(letters) * 2.2 >= 10_000
    assert count_text(encoded) * 2 >= 10_000


ROOT = Path(__file__).parents[3]
PROSE = {
    "English": (ROOT / "README.md").read_text(),
    "German": "Die Pumpe läuft mit 2.900 Umdrehungen und fördert heißes Öl durch die Schläuche. Bei Überdruck schaltet sie ab.",
    "Chinese": "天地玄黃，宇宙洪荒。泵以每分钟2900转的速度运行。",
    "Japanese": "ポンプは毎分2900回転で動作します。",
    "Korean": "펌프는 분당 2900회전으로 작동합니다.",
    "Russian": "Насос работает со скоростью 2900 оборотов в минуту.",
    "Vietnamese": "Máy bơm chạy ở tốc độ 2900 vòng mỗi phút và được kiểm tra.",
    "code": Path(dense_text.__file__).with_name("bounds.py").read_text(),
    "JSON": (ROOT / "docs" / "openapi.json").read_text()[:100_000],
}


@pytest.mark.parametrize("text", PROSE.values(), ids=list(PROSE))
def test_ordinary_text_counts_as_its_pieces(text: str) -> None:
    pieces = PieceCounter().count(text)
    assert pieces <= pieces + extra_pieces(text) <= pieces * 1.04


@given(st.text(max_size=300))
def test_no_text_counts_less_than_its_pieces(text: str) -> None:
    assert count_text(text) >= PieceCounter().count(text) * 1.25


def test_pages_are_counted_where_they_stand() -> None:
    page = b"<< /Type /Page /Parent 1 0 R >>"
    hidden = b"<< /Type /ObjStm /N 3 /Length 99 /Filter /FlateDecode >>\nstream\r\n" + zlib.compress(page * 3) + b"\nendstream"
    assert count_pages(b"%PDF-1.7 << /Type /Pages /Count 2 >>" + page * 2) == 2
    assert count_pages(b"%PDF-1.7 " + hidden) == 3
    assert count_pages(b"%PDF-1.7 /Count 7 ") == 7
    assert count_pages(b"%PDF-1.7 " + bytes(50_000)) == 3
    assert count_pages(b"") == 0


def test_a_pdf_that_unfolds_without_end_is_looked_at_for_a_moment() -> None:
    bomb = zlib.compress(bytes(20_000_000), 9)
    pdf = b"%PDF-1.7 " + (b"1 0 obj << /Type /ObjStm /Filter /FlateDecode >> stream\n" + bomb) * 20
    assert count_pages(pdf) > 0
    assert count_pdf(pdf, 128_000) == 128_000, "who knows"


def test_names_written_in_numbers_are_names() -> None:
    page = b"<< /T#79pe /P#61ge >>"
    assert count_pages(b"%PDF-1.7 << /Type /Page >> " + page * 500) == 501
    hidden = b"<< /Length 9 /F#69lter /Fl#61teDecode >>\nstream\n" + zlib.compress(page * 300) + b"\nendstream"
    assert count_pages(b"%PDF-1.7 " + hidden) == 300


def test_a_page_used_many_times_and_a_page_full_of_text_count_as_such() -> None:
    assert count_pages(b"%PDF-1.7 << /Type /Pages /Count 900 >> << /Type /Page >>") == 900
    text = b"BT (" + b"word " * 100_000 + b") Tj ET"
    content = b"2 0 obj << /Length 9 /Filter /FlateDecode >>\nstream\n" + zlib.compress(text) + b"\nendstream endobj"
    assert count_pdf(b"%PDF-1.7 << /Type /Page >>" + content, 1_000_000) > 100_000
    picture = content.replace(b"/Length 9", b"/Subtype /Image /Length 9")
    assert count_pdf(b"%PDF-1.7 << /Type /Page >>" + picture, 1_000_000) == PAGE


@pytest.mark.parametrize("hiding", [b"<< /Encrypt 9 0 R >>", b"<< /Length 9 /Filter [/ASCII85Decode /FlateDecode] >> stream\nx"])
def test_what_cannot_be_looked_into_counts_as_much_as_is_read(hiding: bytes) -> None:
    assert count_pdf(b"%PDF-1.7 << /Type /Page >> 3 0 obj " + hiding, 200_000) == 200_000


@pytest.mark.parametrize(
    "much",
    [
        b"stream\n",
        b"endstream\n",
        b"/Length stream\n",
        b"(\\(\\(",
        b"<<</Type /Page",
        b"#41",
        b"/Length 1 >> stream\n(\\(\\(endstream ",
    ],
)
def test_a_hostile_file_is_looked_at_once(much: bytes) -> None:
    began = process_time()
    count_pdf(b"%PDF-1.7 /Length 9 >> stream\n" + much * (4_400_000 // len(much)), 200_000)
    assert process_time() - began < 5


def test_streams_that_break_off_are_unfolded_once() -> None:
    broken = zlib.compress(bytes(3_900_000), 9)[:-20] + b"\xff" * 40
    stream = b"1 0 obj << /Length 1 /Filter /FlateDecode >> stream\n" + broken
    began = process_time()
    assert count_pdf(b"%PDF-1.7 " + stream * 1_000, 200_000) == 200_000
    assert process_time() - began < 2


@given(st.binary(max_size=300), st.integers(0, 1_000_000))
def test_no_file_is_too_strange(data: bytes, window: int) -> None:
    for pdf in (data, b"%PDF-1.7 " + data, b"1 0 obj << /Length 1 /Filter /FlateDecode >> stream\n" + data):
        assert count_pdf(pdf, window) >= 0


def in_body(part: object, model: str = "openai/gpt-4.1") -> int:
    return count_body({"model": model, "messages": [{"role": "user", "content": [part]}]})


def test_a_file_that_is_no_pdf_counts_as_its_text() -> None:
    text = "天地玄黃 " * 3_000
    data = base64.b64encode(text.encode()).decode()
    told = in_body({"type": "file", "file": {"file_data": f"data:text/plain;base64,{data}"}})
    assert told >= count_text(text)
    zipped = base64.b64encode(b"PK\x03\x04" + bytes(range(256)) * 100).decode()
    assert in_body({"type": "file", "file": {"file_data": zipped}}) > 25_600
    assert in_body({"type": "file", "file": {"file_id": "file-abc"}}) >= 1_047_576


def test_a_picture_costs_what_its_model_says() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a"}}
    assert in_body(picture, "openai/gpt-4.1-nano") >= 3_779, "1,536 patches at 2.46 tokens"
    assert in_body(picture, "openai/gpt-4o-mini") >= 48_169
    assert in_body(picture, "anthropic/claude-sonnet-5") >= 4_784
    assert in_body(picture, "compatible/anything") >= 4_000


TOKENS = st.integers(0, 11_000)


@given(TOKENS, st.none() | st.integers(1, 400), st.integers(0, 20_000_000), TOKENS, TOKENS)
def test_no_call_costs_more_than_was_reserved(counted: int, max_tokens: int | None, room: int, read: int, written: int) -> None:
    planned = plan(SPEC, counted, max_tokens)
    least = planned.bound if planned.least is None else planned.least
    assert least <= planned.bound
    if room < least:
        return
    reserved = min(room, planned.bound)
    most = planned.affordable(reserved)
    assert 1 <= most <= planned.max_tokens
    if max_tokens is None:
        assert most >= min(LEAST_ANSWER, planned.max_tokens)
    usage = Usage(min(read, counted), min(written, most))
    assert PRICE.cost(usage) <= reserved


def test_between_sure_and_cautious_the_provider_decides() -> None:
    assert plan(SPEC, 12_000, None).max_tokens == 400
    with pytest.raises(ContextTooLong) as caught:
        plan(SPEC, 12_500, None)
    assert (caught.value.tokens, caught.value.window) == (10_001, 10_000)


def test_an_answer_longer_than_the_model_writes_is_refused() -> None:
    with pytest.raises(InvalidInput, match="1000"):
        plan(SPEC, 10, 1001)
