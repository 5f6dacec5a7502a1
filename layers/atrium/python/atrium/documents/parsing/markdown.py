"""Markdown: headings, fenced code, tables, lists and paragraphs, line by line. Inline marks stay as they are."""

import re
from collections.abc import Iterator

from atrium.documents.parsing.builder import TextBuilder
from atrium.documents.parsing.characters import clean
from atrium.documents.parsing.decoding import decode
from atrium.documents.parsing.models import BlockKind, ExtractedText, Inspection
from atrium.documents.parsing.plain import ITEM, add_lines
from atrium.documents.parsing.registry import MARKDOWN, ParseOptions

# Nothing is looked at twice: a line may be as long as a file.
_ATX = re.compile(r" {0,3}(#{1,6})(?=[ \t]|$)")
_SETEXT = re.compile(r" {0,3}(=++|-{2,}+)[ \t]*+$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_TABLE_RULE = re.compile(r" {0,3}\|?[ \t]*+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+\|?[ \t]*+$")
_CELLS = re.compile(r"(?<!\\)\|")
_FRONT_TITLE = re.compile(r"^title:(.*)$", re.MULTILINE)


class MarkdownExtractor:
    """The `Extractor` of text/markdown."""

    def inspect(self, data: bytes, options: ParseOptions) -> Inspection:
        """Nothing is known of Markdown beforehand."""
        del data, options
        return Inspection(MARKDOWN)

    def extract(self, data: bytes, options: ParseOptions) -> ExtractedText:
        """Headings without their marks, tables as rows; the title is the front matter's or the first heading."""
        reader = _Reader(TextBuilder(MARKDOWN, options.limits.max_text_chars))
        lines = iter(clean(decode(data)).split("\n"))
        for line in lines:
            reader.read(line, lines)
        return reader.finish()


class _Reader:
    """Collects the lines of a paragraph until something else begins."""

    def __init__(self, builder: TextBuilder) -> None:
        self._builder = builder
        self._lines: list[str] = []
        self._title: str | None = None
        self._first = True

    def read(self, line: str, rest: Iterator[str]) -> None:
        """One line; constructs of several take theirs from `rest`."""
        fence = _FENCE.match(line)
        heading = _ATX.match(line)
        if self._first and line.rstrip() == "---":
            self._front_matter(rest)
        elif fence:
            self._flush()
            self._builder.add(BlockKind.CODE, "\n".join(_until_fence(fence[1], rest)))
        elif heading:
            self._flush()
            self._heading(_heading_text(line[heading.end() :]), len(heading[1]))
        elif self._lines and (underline := _SETEXT.match(line)) and not ITEM.match(self._lines[-1]):
            text = " ".join(part.strip() for part in self._lines)
            self._lines = []
            self._heading(text, 1 if underline[1][0] == "=" else 2)
        elif self._lines and "|" in self._lines[-1] and "|" in line and _TABLE_RULE.match(line):
            self._table(self._lines.pop(), rest)
        elif line.strip():
            self._lines.append(line)
        else:
            self._flush()
        self._first = False

    def finish(self) -> ExtractedText:
        self._flush()
        return self._builder.finish(self._title)

    def _flush(self) -> None:
        add_lines(self._builder, self._lines)
        self._lines = []

    def _heading(self, text: str, level: int) -> None:
        self._title = self._title or text.strip() or None
        self._builder.add(BlockKind.HEADING, text, level)

    def _table(self, header: str, rest: Iterator[str]) -> None:
        self._flush()
        rows = [header]
        following = ""
        for line in rest:
            if "|" not in line:
                following = line
                break
            rows.append(line)
        self._builder.add(BlockKind.TABLE, "\n".join(" | ".join(_cells(row)) for row in rows))
        self.read(following, rest)

    def _front_matter(self, rest: Iterator[str]) -> None:
        lines: list[str] = []
        for line in rest:
            if line.rstrip() in {"---", "..."}:
                break
            lines.append(line)
        text = "\n".join(lines)
        found = _FRONT_TITLE.search(text)
        self._title = (found and _unquoted(found[1].strip(" \t"))) or None
        self._builder.add(BlockKind.CODE, text)


def _heading_text(rest: str) -> str:
    """Without the number signs that may close a heading."""
    text = rest.strip(" \t")
    opened = text.rstrip("#")
    return opened.rstrip(" \t") if not opened or opened[-1] in " \t" else text


def _unquoted(text: str) -> str:
    begin = text[:1] in {'"', "'"}
    return text[begin : len(text) - (text[-1:] in {'"', "'"} and len(text) > begin)]


def _until_fence(fence: str, rest: Iterator[str]) -> Iterator[str]:
    for line in rest:
        closing = line.strip()
        if closing.startswith(fence) and not closing.strip(fence[0]):
            return
        yield line


def _cells(row: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELLS.split(row.strip().removeprefix("|").removesuffix("|"))]
