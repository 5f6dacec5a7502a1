"""DOCX: one pass over the XML, transitional and strict alike."""

import posixpath
from collections.abc import Iterator

from lxml import etree

from atrium.documents.parsing.archive import Archive
from atrium.documents.parsing.builder import TextBuilder
from atrium.documents.parsing.docx_body import BodyReader, Notes
from atrium.documents.parsing.docx_styles import Numbering, Styles
from atrium.documents.parsing.docx_xml import local_name, parse_xml
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
            return Inspection(DOCX, title=_core_title(archive))

    def extract(self, data: bytes, options: ParseOptions) -> ExtractedText:
        """Body in order, each note after the block that refers to it, headers and footers once, at the end."""
        builder = TextBuilder(DOCX, options.limits.max_text_chars)
        with Archive(data) as archive:
            _check_kind(archive)
            main = _main_part(archive)
            document = _part(archive, main)
            body = None if document is None else next((child for child in document if local_name(child) == "body"), None)
            if body is None:
                raise failed(FailureKind.CORRUPT, "The document has no body.")
            parts = dict(_related(archive, main))
            reader = BodyReader(
                builder,
                Styles(_part(archive, parts.get("styles", ""))),
                Numbering(_part(archive, parts.get("numbering", ""))),
                Notes(_part(archive, parts.get("footnotes", "")), _part(archive, parts.get("endnotes", ""))),
            )
            reader.read(body)
            _add_furniture(builder, archive, reader, main)
            return builder.finish(reader.title or _core_title(archive) or reader.first_heading)


def _check_kind(archive: Archive) -> None:
    types = archive.read(_CONTENT_TYPES)
    if types is None or _MAIN_TYPE not in types:
        if types is not None and _MACRO_TYPE in types:
            raise failed(FailureKind.UNSAFE_ARCHIVE, "The document carries macros.")
        raise failed(FailureKind.TYPE_MISMATCH, "The file is a zip container, but not a Word document.")


def _main_part(archive: Archive) -> str:
    return dict(_related(archive, "")).get("officeDocument", "word/document.xml")


def _part(archive: Archive, name: str) -> etree._Element | None:
    content = archive.read(name) if name else None
    return None if content is None else parse_xml(content)


def _related(archive: Archive, part: str) -> Iterator[tuple[str, str]]:
    """(kind, part name) of what a part is related to; kind is the last word of the relation's type."""
    folder, name = posixpath.split(part)
    relations = _part(archive, posixpath.join(folder, "_rels", f"{name}.rels"))
    for relation in relations if relations is not None else ():
        if relation.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", "")))
            yield relation.get("Type", "").rpartition("/")[2], target.lstrip("/")


def _add_furniture(builder: TextBuilder, archive: Archive, reader: BodyReader, main: str) -> None:
    seen: set[str] = set()
    for kind, name in _related(archive, main):
        part = _part(archive, name) if kind in {"header", "footer"} else None
        text = "" if part is None else " | ".join(reader.texts(part))
        if text not in seen:
            seen.add(text)
            builder.add(BlockKind.PAGE_FURNITURE, text)


def _core_title(archive: Archive) -> str | None:
    core = _part(archive, dict(_related(archive, "")).get("core-properties", ""))
    title = next((child.text for child in core if local_name(child) == "title"), None) if core is not None else None
    # What a library's template says of itself is nobody's title.
    return None if title in {None, "", "Word Document"} else title
