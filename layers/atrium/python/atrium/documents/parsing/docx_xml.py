"""XML of Office files: parsed without entities or network, named without regard to which of two namespaces they use."""

from functools import cache

from lxml import etree

from atrium.documents.parsing.failures import FailureKind, failed

_MATH = ("http://schemas.openxmlformats.org/officeDocument/2006/math", "http://purl.oclc.org/ooxml/officeDocument/math")

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
