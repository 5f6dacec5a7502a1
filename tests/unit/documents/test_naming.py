import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.documents.naming import display_name, file_name, safe_file_name, suits, text_type, typed_name, upload_type
from atrium.documents.parsing.registry import DOCX, HTML, MARKDOWN, PDF, PLAIN
from atrium.kernel.errors import InvalidInput, UnsupportedMediaType

TYPES = [PDF, DOCX, HTML, PLAIN, MARKDOWN]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.txt", "a.txt"),
        ("  a \t\n b.txt ", "a b.txt"),
        ("a\x00\x07\x9fb", "ab"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("u\u0308ber", "über"),
        ("👩\u200d🚀.md", "👩\u200d🚀.md"),
        ("a\u2028b", "a b"),
        ("pay\u200broll\U000e0041\U000e0042.pdf", "payroll.pdf"),
        ("in\u200dvoice\u2060.txt", "invoice.txt"),
        ("\U000e0041 a \u200b b", "a b"),
        ("e\u200b\u0301", "é"),
    ],
)
def test_a_name_is_shown_in_one_line_and_one_direction(name: str, shown: str) -> None:
    assert display_name(name) == shown


@pytest.mark.parametrize("name", ["", " ", "\0", "\u202e\u2066", "\U000e0041\u200b \ue000", "x" * 1025, "ä" * 513, "\ud800"])
def test_names_of_nothing_and_too_long_ones_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        display_name(name)


@given(st.text(min_size=1, max_size=1100))
def test_a_shown_name_is_stable_and_fits_the_index(name: str) -> None:
    try:
        shown = display_name(name)
    except InvalidInput:
        return
    assert display_name(shown) == shown
    assert 0 < len(shown.encode()) <= 1024


@pytest.mark.parametrize(
    ("sent", "name"), [("a.txt", "a.txt"), ("C:\\fakepath\\a.txt", "a.txt"), ("/etc/passwd", "passwd"), ("a/", "a"), ("", "")]
)
def test_of_a_sent_path_the_last_part_counts(sent: str, name: str) -> None:
    assert file_name(sent) == name


@given(st.text(max_size=200), st.sampled_from(TYPES))
def test_a_safe_name_is_plain_short_and_of_its_type(name: str, content_type: str) -> None:
    safe = safe_file_name(name, content_type)
    assert safe.isascii()
    assert "/" not in safe
    assert not safe.startswith(".")
    assert 0 < len(safe) <= 100
    assert suits(safe, content_type)


@pytest.mark.parametrize(
    ("name", "content_type", "safe"),
    [
        ("Größe der Häuser.pdf", PDF, "Gr_e_der_H_user.pdf"),
        ("../../etc/passwd", PLAIN, "passwd.txt"),
        ("report.pdf", PLAIN, "report.pdf.txt"),
        ("page.HTM", HTML, "page.html"),
        ("日本語", MARKDOWN, "document.md"),
        (".txt", PLAIN, "txt.txt"),
        ("", PDF, "document.pdf"),
    ],
)
def test_safe_names(name: str, content_type: str, safe: str) -> None:
    assert safe_file_name(name, content_type) == safe


@pytest.mark.parametrize(
    ("name", "content_type", "typed"),
    [("a.pdf", PDF, "a.pdf"), ("a", PDF, "a.pdf"), ("a", PLAIN, "a"), ("a.csv", PLAIN, "a.csv.txt"), ("a.x", "image/x", "a.x")],
)
def test_a_name_gets_its_types_extension_where_it_lacks_it(name: str, content_type: str, typed: str) -> None:
    assert typed_name(name, content_type) == typed


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.md", MARKDOWN),
        ("a.html", HTML),
        ("a.txt", PLAIN),
        ("a", PLAIN),
        ("a.pdf", PLAIN),
        ("a.xlsx", PLAIN),
        ("v1.2 notes", PLAIN),
    ],
)
def test_text_in_json_is_text_whatever_its_name(name: str, content_type: str) -> None:
    assert text_type(name) == content_type


def test_what_contradicts_itself_is_not_taken() -> None:
    assert upload_type(b"%PDF-1.7", "a.pdf", "application/octet-stream") == PDF
    with pytest.raises(UnsupportedMediaType):
        upload_type(b"%PDF-1.7", "a.txt", "text/plain")
