"""CSV: dialects, headers, records that are torn, ragged, quoted or huge."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.documents.parsing.delimited import CsvExtractor
from atrium.documents.parsing.limits import ParserLimits
from atrium.documents.parsing.models import BlockKind, ExtractedText
from atrium.documents.parsing.registry import ParseOptions
from atrium.kernel.errors import IngestionFailed

_ROWS = "name{0}city{0}age\nAda{0}London{0}36\nEmmy{0}Erlangen{0}53\n"
_WANTED = "name | city | age\nAda | London | 36\nEmmy | Erlangen | 53"


def _extract(data: str | bytes, **options: object) -> ExtractedText:
    encoded = data.encode() if isinstance(data, str) else data
    return CsvExtractor().extract(encoded, ParseOptions(**options))  # type: ignore[arg-type]


def _blocks(data: str | bytes) -> list[tuple[str, str]]:
    document = _extract(data)
    return [(block.kind.value, document.text[block.start : block.end]) for block in document.blocks]


def _kind_of(data: str | bytes, **options: object) -> str:
    with pytest.raises(IngestionFailed) as failure:
        _extract(data, **options)
    return failure.value.kind


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    assert _blocks(_ROWS.format(delimiter)) == [("table", _WANTED)]


@pytest.mark.parametrize("line_end", ["\r\n", "\r", "\n\n", "\n"])
def test_any_line_end_ends_a_record(line_end: str) -> None:
    assert _extract(_ROWS.format(",").replace("\n", line_end)).text == _WANTED


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_any_encoding_is_read(encoding: str) -> None:
    text = "Größe;Menge\n" + "Überlänge für große Füße;1\nschön gewöhnliche Länge;2\n" * 5
    assert _extract(text.encode(encoding)).text.startswith("Größe | Menge\nÜberlänge für große Füße | 1\n")


def test_the_delimiter_may_be_declared_as_excel_declares_it() -> None:
    assert _extract("sep=;\na,b;c\nd,e;f\n").text == "a,b | c\nd,e | f"


def test_decimal_commas_do_not_hide_a_semicolon() -> None:
    assert _extract("item;price\nnut;1,50\nbolt;2,75\n").text == "item | price\nnut | 1,50\nbolt | 2,75"


def test_quotes_hold_delimiters_line_ends_and_quotes() -> None:
    data = 'name,note\n"Lovelace, Ada","said ""yes""\nand left"\nEmmy,\n'
    assert _extract(data).text == 'name | note\nLovelace, Ada | said "yes" and left\nEmmy |'


def test_backslashes_escape_quotes_where_nothing_doubles_them() -> None:
    assert _extract('a,b\n"x \\"y\\", z",1\n"u",2\n').text == 'a | b\nx "y", z | 1\nu | 2'


def test_a_quote_that_is_never_closed_swallows_nothing() -> None:
    assert _extract('size,kind\n5" pipe,x\n"3 pipe,y\n7 pipe,z\n').text == 'size | kind\n5" pipe | x\n"3 pipe | y\n7 pipe | z'


def test_ragged_rows_are_kept_as_they_are_and_empty_ones_are_not() -> None:
    assert _extract("a,b,c\n1,2,3\n\n4\n,,\n5,6,7,8\n").text == "a | b | c\n1 | 2 | 3\n4\n5 | 6 | 7 | 8"


def test_what_stands_above_the_header_is_prose() -> None:
    assert _blocks("Sales 2025\nAll regions\n\nregion,total\nnorth,4\nsouth,5\n") == [
        ("paragraph", "Sales 2025\nAll regions"),
        ("table", "region | total\nnorth | 4\nsouth | 5"),
    ]


@pytest.mark.parametrize(
    "data", ["1,2,3\n4,5,6\n", "Ada,36\nEmmy,53\n", "2020-01-01,x\n2020-01-02,y\n", "a,a\nb,c\n", "1999,Ada\n2001,Emmy\n"]
)
def test_rows_without_a_header_are_lines_that_head_nothing(data: str) -> None:
    assert [kind for kind, _ in _blocks(data)] == ["paragraph"]


@pytest.mark.parametrize(
    "data", ["name,city\nAda,London\n", "id,ok\n1,true\n", "when,x\n2020-01-01,y\n", "area,2023,2024\nnorth,12,14\n"]
)
def test_a_header_is_recognised(data: str) -> None:
    assert [kind for kind, _ in _blocks(data)] == ["table"]


def test_formulas_are_text() -> None:
    assert _extract("cell,value\nA1,=SUM(B1:B9)\nA2,@cmd\nA3,+1\n").text.endswith("A1 | =SUM(B1:B9)\nA2 | @cmd\nA3 | +1")


def test_one_column_is_a_list_of_lines() -> None:
    assert _extract("Good morning, all\nWell\nThere it is\n").text == "Good morning, all\nWell\nThere it is"


def test_a_nul_is_corrupt() -> None:
    assert _kind_of(b"a,b\n1,\x002\n") == "corrupt"


def test_a_file_of_delimiters_is_empty() -> None:
    assert _kind_of(",,,\n,,,\n") == "empty-text"


def test_a_huge_field_is_read_and_has_its_limit() -> None:
    assert len(_extract("a,b\n" + "x" * 500_000 + ",1\n").text) > 500_000
    assert _kind_of("a,b\n" + "x" * 5_000 + ",1\n", limits=ParserLimits(max_text_chars=1_000)) == "too-large"


def test_the_type_and_the_title() -> None:
    document = _extract("Sales 2025\n\nregion,total\nnorth,4\n")
    assert (document.content_type, document.title) == ("text/csv", "Sales 2025")
    assert CsvExtractor().inspect(b"a,b\n", ParseOptions()).content_type == "text/csv"


@given(
    st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6), min_size=2, max_size=2)),
    st.sampled_from(",;\t|"),
)
def test_what_a_writer_writes_is_read_back(rows: list[list[str]], delimiter: str) -> None:
    target = io.StringIO()
    writer = csv.writer(target, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([["first column", "second column"], ["alpha", "beta"], ["gamma", "delta"], *rows])
    document = _extract(target.getvalue())
    assert document.blocks[0].kind is BlockKind.TABLE
    assert document.text.startswith("first column | second column\nalpha | beta\ngamma | delta")
    assert len(document.text.split("\n")) <= 3 + len(rows)
