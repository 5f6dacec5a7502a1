"""HTML: what is content, what is not, and how it is put."""

import pytest

from atrium.documents.parsing.html import HtmlExtractor
from atrium.documents.parsing.models import ExtractedText
from atrium.documents.parsing.registry import ParseOptions
from atrium.kernel.errors import IngestionFailed
from tests.fixtures.make_fixtures import FOLDER


def _extract(page: str | bytes) -> ExtractedText:
    return HtmlExtractor().extract(page.encode() if isinstance(page, str) else page, ParseOptions())


def _blocks(page: str) -> list[tuple[str, str, int | None]]:
    document = _extract(page)
    return [(block.kind.value, document.text[block.start : block.end], block.level) for block in document.blocks]


def test_structure_becomes_blocks() -> None:
    page = """<title>T</title><h2>Head <i>line</i></h2><p>One
      <b>two</b>,<br>three</p><ul><li>a<ul><li>b</ul><li><p>c</p></ul><ol><li>d<li>e</ol><pre>x  y
  z</pre><dl><dt>term<dd>meaning</dl>"""
    assert _blocks(page) == [
        ("heading", "Head line", 2),
        ("paragraph", "One two,\nthree", None),
        ("list_item", "• a", 0),
        ("list_item", "• b", 1),
        ("list_item", "• c", 0),
        ("list_item", "1. d", 0),
        ("list_item", "2. e", 0),
        ("code", "x  y\n  z", None),
        ("paragraph", "term", None),
        ("paragraph", "meaning", None),
    ]


def test_a_table_of_data_is_rows_and_a_table_of_layout_is_not_there() -> None:
    data = "<table><caption>Times</caption><tr><th>Level<th>Time</tr><tr><td>S1<td>15 <b>minutes</b></tr><tr><td></tr></table>"
    assert _blocks(data) == [("table", "Times\nLevel | Time\nS1 | 15 minutes", None)]
    layout = f"<table><tr><td><p>Left</p></td><td>{data}</td></tr></table>"
    assert [kind for kind, _, _ in _blocks(layout)] == ["paragraph", "table"]


@pytest.mark.parametrize(
    "noise",
    [
        "<script>noise</script>",
        "<style>noise</style>",
        "<noscript>noise</noscript>",
        "<template>noise</template>",
        "<svg><text>noise</text></svg>",
        "<nav>noise</nav>",
        "<header>noise</header>",
        "<footer>noise</footer>",
        "<aside>noise</aside>",
        "<div role=navigation>noise</div>",
        "<div hidden>noise</div>",
        "<div aria-hidden=true>noise</div>",
        "<p style='display: none'>noise</p>",
        "<div class='big cookie-banner'>noise</div>",
        "<div id=breadcrumbs>noise</div>",
        "<form><select><option>noise</select><textarea>noise</textarea></form>",
        "<!-- noise -->",
        "<p><a href=/>noise</a></p>",
        "<p><a href=/>noise</a> | <a href=/>noise</a></p>",
        "<p style='visibility:hidden'>noise</p>",
        "<div id=acme-cookie-bar>noise</div>",
        "<div class=site_consent>noise</div>",
        "<ul class=main-menu><li>noise</ul>",
    ],
)
def test_what_is_not_content_is_left_out(noise: str) -> None:
    assert _extract(f"<body>{noise}<p>The content of this page.</p></body>").text == "The content of this page."


def test_who_owns_a_page_is_not_content_at_its_end() -> None:
    page = "<p>© 2020 is the year the law changed.</p><p>Words.</p><p>© 1999-2025 Acme. All rights reserved.</p>"
    assert _extract(page).text == "© 2020 is the year the law changed.\n\nWords."


def test_a_name_that_means_furniture_does_not_when_it_is_most_of_the_page() -> None:
    assert (
        _extract("<div class='layout with-sidebar'><p>All the words of this page</p></div>").text == "All the words of this page"
    )


def test_a_form_in_a_table_is_no_table_of_data() -> None:
    rows = "<tr><td>Name<td><input></tr><tr><td>Country<td><select><option>France<option>Spain</select></tr>"
    assert _blocks(f"<p>Words</p><table>{rows}</table>") == [
        ("paragraph", "Words", None),
        ("paragraph", "Name", None),
        ("paragraph", "Country", None),
    ]


def test_cells_hold_what_is_seen() -> None:
    cell = "<td>One<script>noise</script><p>two</p><b>th</b>ree<br>four<svg><text>noise</text></svg>"
    page = f"<table><tr><th>A<th>B</tr><tr>{cell}<td>5</tr></table>"
    assert _blocks(page) == [("table", "A | B\nOne two three four | 5", None)]


def test_a_long_run_of_links_is_a_menu_and_a_link_in_a_sentence_is_not() -> None:
    menu = "".join(f"<li><a href=/>Item {number}</a>" for number in range(8))
    page = f"<p>Before, <a href=/>a link</a>.</p><ul>{menu}</ul><p>After.</p>"
    assert _extract(page).text == "Before, a link.\n\nAfter."


def test_the_header_of_an_article_is_content() -> None:
    assert _extract("<article><header><h1>Title</h1></header><p>Words</p></article>").text == "Title\n\nWords"


def test_only_the_main_part_is_read_where_there_is_one() -> None:
    assert _extract("<div>Around it</div><main><p>The main part of the page</p></main>").text == "The main part of the page"


def test_a_page_of_nothing_but_navigation_is_read_all_the_same() -> None:
    assert _extract("<nav><p>Only this</p></nav>").text == "Only this"


@pytest.mark.parametrize(
    "page",
    [
        '<meta charset="windows-1251"><p>Привет</p>'.encode("cp1251"),
        '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251"><p>Привет</p>'.encode("cp1251"),
        "<p>Привет</p>".encode("utf-16"),
        "<p>Привет</p>".encode("utf-8-sig"),
        '<meta charset="utf-16"><p>Привет</p>'.encode(),
        '<meta charset="rot13"><p>Привет</p>'.encode(),
    ],
)
def test_the_encoding_is_found(page: bytes) -> None:
    assert _extract(page).text == "Привет"


def test_a_deep_page_needs_no_deep_stack() -> None:
    assert _extract("<div>" * 5_000 + "deep").text == "deep"


def test_a_page_without_text_is_empty() -> None:
    with pytest.raises(IngestionFailed) as failure:
        _extract("<html><body><img src=a.png></body></html>")
    assert failure.value.kind == "empty-text"


def test_the_example_page_is_read_without_its_frame() -> None:
    document = _extract((FOLDER / "calibration-guide.html").read_bytes())
    assert document.title == "Calibration Guide"
    assert "Vesta pressure transmitter | 12 months | 0.1 % of full scale" in document.text
    assert not [noise for noise in ("cookie", "Products", "Imprint", "blog", "dataLayer") if noise in document.text]
