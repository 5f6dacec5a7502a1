"""DOCX: one pass over the XML, transitional and strict alike."""

import posixpath
from collections.abc import Iterator
from functools import partial

from lxml import etree

from atrium.documents.parsing.archive import Archive
from atrium.documents.parsing.builder import TextBuilder
from atrium.documents.parsing.docx_body import BodyReader, Notes
from atrium.documents.parsing.docx_styles import Numbering, Styles
from atrium.documents.parsing.docx_xml import child, parse_xml
from atrium.documents.parsing.failures import FailureKind, failed
from atrium.documents.parsing.models import BlockKind, ExtractedText, Inspection
from atrium.documents.parsing.registry import DOCX, ParseOptions

_CONTENT_TYPES = "[Content_Types].xml"
_MAIN_TYPE = b"wordprocessingml.document.main+xml"
_MACRO_TYPE = b"macroEnabled"


class DocxExtractor:
    """The `Extractor` of Word documents since 2007."""

    def inspect(self, data: bytes, options: ParseOptions) -> Inspection:
        """The title. Word lays pages out on opening, so a file has no page count."""
        del options
        with Archive(data) as archive:
            _check_kind(archive)
            return Inspection(DOCX, title=_Package(archive).title)

    def extract(self, data: bytes, options: ParseOptions) -> ExtractedText:
        """Body in order, each note after the block that refers to it, headers and footers once, at the end."""
        builder = TextBuilder(DOCX, options.limits.max_text_chars)
        with Archive(data) as archive:
            _check_kind(archive)
            package = _Package(archive)
            body = child(package.part(package.main), "body")
            if body is None:
                raise failed(FailureKind.CORRUPT, "The document has no body.")
            notes = Notes(package.related("footnotes"), package.related("endnotes"))
            styles, numbering = (partial(package.related, kind) for kind in ("styles", "numbering"))
            reader = BodyReader(builder, Styles(styles), Numbering(numbering), notes)
            reader.read(body)
            seen: set[str] = set()
            for part in package.furniture():
                text = " | ".join(reader.texts(part))
                if text not in seen:
                    seen.add(text)
                    builder.add(BlockKind.PAGE_FURNITURE, text)
            return builder.finish(reader.title or package.title or reader.first_heading)


class _Package:
    """The parts of a document, by what they are to its main part."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._roots = dict(self._relations(""))
        self.main = self._roots.get("officeDocument", "word/document.xml")
        self._relatives = list(self._relations(self.main))

    def part(self, name: str) -> etree._Element | None:
        """A part's XML, none where there is no such part."""
        content = self._archive.read(name) if name else None
        return None if content is None else parse_xml(content)

    def related(self, kind: str) -> etree._Element | None:
        """The part of a kind, "styles" for instance."""
        return self.part(dict(self._relatives).get(kind, ""))

    def furniture(self) -> Iterator[etree._Element]:
        """Headers and footers."""
        parts = (self.part(name) for kind, name in self._relatives if kind in {"header", "footer"})
        return (part for part in parts if part is not None)

    @property
    def title(self) -> str | None:
        """The title in the document's properties; what a library's template says of itself is nobody's title."""
        title = child(self.part(self._roots.get("core-properties", "")), "title")
        return None if title is None or title.text in {None, "", "Word Document"} else title.text

    def _relations(self, part: str) -> Iterator[tuple[str, str]]:
        """(kind, part name) of what a part is related to; kind is the last word of the relation's type."""
        folder, name = posixpath.split(part)
        relations = self.part(posixpath.join(folder, "_rels", f"{name}.rels"))
        for relation in relations if relations is not None else ():
            if relation.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", "")))
                yield relation.get("Type", "").rpartition("/")[2], target.lstrip("/")


def _check_kind(archive: Archive) -> None:
    types = archive.read(_CONTENT_TYPES)
    if types is None or _MAIN_TYPE not in types:
        if types is not None and _MACRO_TYPE in types:
            raise failed(FailureKind.UNSAFE_ARCHIVE, "The document carries macros.")
        raise failed(FailureKind.TYPE_MISMATCH, "The file is a zip container, but not a Word document.")
