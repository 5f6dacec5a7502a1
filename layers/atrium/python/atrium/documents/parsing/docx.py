"""DOCX: one pass over the XML, transitional and strict alike."""

import posixpath
from collections.abc import Iterator
from functools import cached_property, partial

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
_MAIN_PART = "word/document.xml"
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
            styles = Styles(partial(package.content, "styles"))
            reader = BodyReader(builder, styles, Numbering(partial(package.related, "numbering")), Notes(package.related))
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
        # Where nearly every file has it, the main part is not looked up.
        self.main = _MAIN_PART if _MAIN_PART in archive else self._roots.get("officeDocument", _MAIN_PART)
        self._relatives = list(self._relations(self.main))

    @cached_property
    def _roots(self) -> dict[str, str]:
        return dict(self._relations(""))

    def part(self, name: str) -> etree._Element | None:
        """A part's XML, none where there is no such part."""
        content = self._archive.read(name) if name else None
        return None if content is None else parse_xml(content)

    def related(self, kind: str) -> etree._Element | None:
        """The part of a kind, "styles" for instance."""
        return self.part(dict(self._relatives).get(kind, ""))

    def content(self, kind: str) -> bytes | None:
        """The part of a kind as it is written."""
        return self._archive.read(dict(self._relatives).get(kind, ""))

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
        folder, _, name = part.rpartition("/")
        relations = self.part(f"{folder}/_rels/{name}.rels".lstrip("/"))
        for relation in relations if relations is not None else ():
            if relation.get("TargetMode") != "External":
                yield relation.get("Type", "").rpartition("/")[2], _target(folder, relation.get("Target", ""))


def _target(folder: str, path: str) -> str:
    """The name of the part that a relation's target means, from the part's folder or from the root."""
    if "." in path.partition("/")[0] and "/" in path:  # "../customXml/item1.xml"
        return posixpath.normpath(posixpath.join("/", folder, path)).lstrip("/")
    return path[1:] if path.startswith("/") else f"{folder}/{path}".lstrip("/")


def _check_kind(archive: Archive) -> None:
    types = archive.read(_CONTENT_TYPES)
    if types is None or _MAIN_TYPE not in types:
        if types is not None and _MACRO_TYPE in types:
            raise failed(FailureKind.UNSAFE_ARCHIVE, "The document carries macros.")
        raise failed(FailureKind.TYPE_MISMATCH, "The file is a zip container, but not a Word document.")
