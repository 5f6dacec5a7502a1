"""Plain text and Markdown, in whatever encoding."""

from functools import partial
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.documents.parsing.markdown import MarkdownExtractor
from atrium.documents.parsing.models import ExtractedText
from atrium.documents.parsing.plain import PlainExtractor
from atrium.documents.parsing.registry import ParseOptions
from atrium.kernel.errors import IngestionFailed
from tests.unit.parsing.samples import outcome


def _blocks(document: ExtractedText) -> list[tuple[str, str, int | None]]:
    return [(block.kind.value, document.text[block.start : block.end], block.level) for block in document.blocks]


def _plain(text: str | bytes) -> ExtractedText:
    return PlainExtractor().extract(text if isinstance(text, bytes) else text.encode(), ParseOptions())


def _markdown(text: str) -> ExtractedText:
    return MarkdownExtractor().extract(text.encode(), ParseOptions())


def test_plain_text_is_paragraphs_and_list_items() -> None:
    assert _blocks(_plain("One\nline.\n \n\nBring:\n- a\n  more of a\n  * b\n\n\tLast")) == [
        ("paragraph", "One\nline.", None),
        ("paragraph", "Bring:", None),
        ("list_item", "- a\n  more of a", 0),
        ("list_item", "* b", 1),
        ("paragraph", "Last", None),
    ]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "cp1252"]
)
def test_encodings_are_told_apart(encoding: str) -> None:
    text = "Über den Dächern von Köln läuten die Glocken. Die Straße führt hinauf zum Schloß, wo früher Könige lebten."
    assert _plain(text.encode(encoding)).text == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "cp1251", "koi8-r"])
def test_other_alphabets_need_no_mark(encoding: str) -> None:
    text = "Над крышами Кёльна звонят колокола. Улица ведёт наверх к замку, где раньше жили короли."
    assert _plain(text.encode(encoding, errors="ignore")).text.replace("ё", "") == text.replace("ё", "")


@pytest.mark.parametrize(("data", "kind"), [(b" \n\t\n", "empty-text"), (b"\xef\xbb\xbf", "empty-text")])
def test_text_without_letters_is_empty(data: bytes, kind: str) -> None:
    with pytest.raises(IngestionFailed) as failure:
        _plain(data)
    assert failure.value.kind == kind


def test_markdown_is_blocks() -> None:
    source = """---
title: "The title"
---
# One #
Some *text*
over two lines.

Two
---
| Level | Time |
|-------|:----:|
| S1 | 15 \\| 20 |

- item
  1. deeper

```python
# not a heading

code()
```
###### Deep
####### not a heading"""
    document = _markdown(source)
    assert _blocks(document) == [
        ("code", 'title: "The title"', None),
        ("heading", "One", 1),
        ("paragraph", "Some *text*\nover two lines.", None),
        ("heading", "Two", 2),
        ("table", "Level | Time\nS1 | 15 | 20", None),
        ("list_item", "- item", 0),
        ("list_item", "1. deeper", 1),
        ("code", "# not a heading\n\ncode()", None),
        ("heading", "Deep", 6),
        ("paragraph", "####### not a heading", None),
    ]
    assert document.title == "The title"


def test_the_first_heading_is_the_title() -> None:
    assert _markdown("Words\n\n## Head\n\n# Later").title == "Head"


@given(st.text(st.sampled_from("#-=|`~ \n\tab1.*>:\\"), max_size=80))
def test_no_markdown_loses_its_words(source: str) -> None:
    found = outcome(partial(_markdown, source))
    kept = [letter for letter in found.text if letter in "ab"] if isinstance(found, ExtractedText) else []
    assert kept == [letter for letter in source if letter in "ab"]
    assert isinstance(found, ExtractedText) or found == "empty-text"


@pytest.mark.parametrize(
    "line",
    ["# a" + " " * 200_000 + "b", "# a" + " #" * 100_000 + "b", "a | b\n|" + "-" * 200_000 + " " * 100_000 + "x"],
)  # fmt: skip
def test_a_line_is_read_once(line: str) -> None:
    begun = perf_counter()
    MarkdownExtractor().extract(line.encode(), ParseOptions())
    MarkdownExtractor().extract(f"---\ntitle: a{' ' * 200_000}b\n---\n".encode(), ParseOptions())
    assert perf_counter() - begun < 3
