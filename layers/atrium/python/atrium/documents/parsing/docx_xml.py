"""XML of Office files: parsed without entities or network, named without regard to which of two namespaces they use."""

import re
from functools import cache

from lxml import etree

from atrium.documents.parsing.failures import FailureKind, failed

_MATH = ("http://schemas.openxmlformats.org/officeDocument/2006/math", "http://purl.oclc.org/ooxml/officeDocument/math")

_ROOT = re.compile(rb"<((?:\w+:)?)(styles)\b[^>]*>")
_ROOT_WITHIN = 16 * 1024
_DOCTYPE = b"<!DOCTYPE"

_PARSER = etree.XMLParser(
    resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
)


def parse_xml(content: bytes) -> etree._Element:
    """The root of an XML part. Raise `corrupt` for broken XML, `unsafe-archive` where there is a DTD."""
    try:
        root = etree.fromstring(content, _PARSER)
    except etree.XMLSyntaxError as error:
        raise failed(FailureKind.CORRUPT, "The document's XML is damaged.") from error
    if root is None:
        raise failed(FailureKind.CORRUPT, "A part of the document is empty.")
    if _doctype(root):
        raise failed(FailureKind.UNSAFE_ARCHIVE, "The document's XML declares a DTD, which Office files do not have.")
    return root


class Children:
    """The children of a large part's root, by an attribute; only those that are asked for are parsed.

    A template brings 350 kB of styles, of which a document uses five.
    """

    def __init__(self, content: bytes, name: str, key: str) -> None:
        """`name` is the local name of the children wanted, `key` that of the attribute."""
        self._found: dict[str, bytes] = {}
        self._parsed: dict[str, etree._Element | None] = {}
        root = _ROOT.search(content[:_ROOT_WITHIN])
        if root is None or _DOCTYPE in content:
            self._parse_all(content, name, key)
            return
        self._opening, self._closing = root[0], b"</" + root[1] + root[2] + b">"
        opening, closing = b"<" + root[1] + name.encode() + b" ", b"</" + root[1] + name.encode() + b">"
        identity = re.compile(rb"\b" + key.encode() + rb"\s*=\s*[\"']([^\"'<>]*)")
        for part in content.split(opening)[1:]:
            inner, end, _ = part.partition(closing)
            found = identity.search(inner)
            if found and end:
                self._found.setdefault(found[1].decode(errors="replace"), opening + inner + end)

    def get(self, key: str) -> etree._Element | None:
        """The child of that attribute's value. Raise `corrupt` where it is no XML."""
        if key not in self._parsed:
            source = self._found.get(key)
            root = None if source is None else parse_xml(self._opening + source + self._closing)
            self._parsed[key] = None if root is None or not len(root) else root[0]
        return self._parsed[key]

    def _parse_all(self, content: bytes, name: str, key: str) -> None:
        """For what is not written in letters of one byte; a DTD is refused here."""
        for element in parse_xml(content) if content else ():
            if local_name(element) == name:
                self._parsed[attribute(element, key)] = element


def _doctype(root: etree._Element) -> str:
    return str(getattr(root.getroottree().docinfo, "doctype", None) or "")


def local_name(element: etree._Element) -> str:
    """The element's name without its namespace; mathematics as "m:name", as it shares names with text."""
    return _local(element.tag)


def attribute(element: etree._Element | None, name: str, default: str = "") -> str:
    """An attribute in the element's own namespace."""
    if element is None:
        return default
    namespace, brace, _ = element.tag.rpartition("}")
    return element.get(f"{namespace}{brace}{name}", default)


def child(element: etree._Element | None, *path: str) -> etree._Element | None:
    """The first element down a path of local names, none where it breaks off."""
    for name in path:
        for found in element if element is not None else ():
            if _local(found.tag) == name:
                element = found
                break
        else:
            return None
    return element


@cache
def _local(tag: str) -> str:
    namespace, _, name = tag.rpartition("}")
    return f"m:{name}" if namespace[1:] in _MATH else name
