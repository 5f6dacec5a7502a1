"""What a file is. Its first bytes, its name's extension and its declared type must agree, or it is refused."""

import re

from atrium.documents.parsing.decoding import BOMS, wide_encoding
from atrium.documents.parsing.failures import FailureKind, failed
from atrium.documents.parsing.registry import CSV, DOCX, HTML, JPEG, MARKDOWN, PDF, PLAIN, PNG, TIFF


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BY_EXTENSION = {
    "pdf": PDF,
    "png": PNG,
    "jpg": JPEG,
    "jpeg": JPEG,
    "tif": TIFF,
    "tiff": TIFF,
    "docx": DOCX,
    "html": HTML,
    "htm": HTML,
    "xhtml": HTML,
    "txt": PLAIN,
    "text": PLAIN,
    "md": MARKDOWN,
    "markdown": MARKDOWN,
    "csv": CSV,
    "tsv": CSV,
}
_BY_DECLARED = {
    "application/pdf": PDF,
    "application/x-pdf": PDF,
    "image/png": PNG,
    "image/jpeg": JPEG,
    "image/jpg": JPEG,
    "image/tiff": TIFF,
    DOCX: DOCX,
    "text/html": HTML,
    "application/xhtml+xml": HTML,
    "text/plain": PLAIN,
    "text/markdown": MARKDOWN,
    "text/x-markdown": MARKDOWN,
    "text/csv": CSV,
    "application/csv": CSV,
    "text/tab-separated-values": CSV,
    "application/vnd.ms-excel": CSV,  # what a browser says of .csv where Excel is installed; real .xls files are refused
}
# What a client says that does not know.
_UNDECLARED = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/x-www-form-urlencoded"})
# Extensions of files that are something else whatever their first bytes say. Others ("notes.v2") say nothing.
_REFUSED_EXTENSIONS = _words(
    "svg svgz docm dotm doc dot rtf odt xls xlsx xlsm ppt pptx pptm json xml gif bmp webp heic "
    "exe dll com bat cmd ps1 sh js mjs vbs jar class zip gz tgz bz2 xz 7z rar tar iso mp3 mp4 mov avi wav epub eml msg"
)
_EXTENSION = re.compile(r"\.([A-Za-z][A-Za-z0-9]{0,9})$")
_IMAGE_MAGIC = ((b"\x89PNG\r\n\x1a\n", PNG), (b"\xff\xd8\xff", JPEG), (b"II*\0", TIFF), (b"MM\0*", TIFF))
_BINARY = frozenset({PDF, DOCX, PNG, JPEG, TIFF})
_BINARY_MAGIC = (
    (b"GIF8", "a GIF image"),
    (b"RIFF", "a RIFF file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip file"),
    (b"Rar!", "a RAR file"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"{\\rtf", "an RTF file"),
)
_READ = "PDF, DOCX, HTML, Markdown, CSV, plain text, PNG, JPEG and TIFF are."
_PDF = b"%PDF-"
_ZIP = b"PK\x03\x04"
_PDF_END = b"%%EOF"
_ZIP_END = b"PK\x05\x06"
_ZIP_END_BYTES = 22
_ZIP_TAIL = _ZIP_END_BYTES + 0xFFFF  # a zip archive ends with a record and a comment
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ANY_MAGIC = (_ZIP, _OLE, *(magic for magic, _ in (*_IMAGE_MAGIC, *_BINARY_MAGIC)))
_OLE_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_HEAD = 4096
_PDF_WITHIN = 1024
_HTML_HEAD = re.compile(rb"<(?:!doctype\s+html|html|head|body|title|meta|script|h[1-6]|p|div|table|ul|ol|a)\b", re.IGNORECASE)
# Atomic: a run of comments could otherwise be matched in exponentially many ways.
_SVG_ROOT = re.compile(
    rb"\s*+(?:(?>(?><\?xml.*?\?>)|(?><!--.*?-->)|<!doctype[^>]*+>)\s*+)*+<(?:\w+:)?svg\b", re.IGNORECASE | re.DOTALL
)
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\x1b\x08")
_MAX_CONTROLS = 0.02


def sniff(data: bytes, name: str, declared_type: str = "") -> str:
    """The content type of a file.

    Raise `IngestionFailed`: "unsupported-type" for what is not read at all, "type-mismatch" where bytes, extension and
    declared type contradict each other, "encrypted" for an Office file behind a password.
    """
    claimed = claimed_type(name, declared_type)
    by_bytes = _by_magic(data, claimed)
    if by_bytes in _BINARY:
        if claimed not in {None, by_bytes}:
            raise _mismatch(f"it is declared as {claimed}, its content is {by_bytes}")
        _check_single(data, by_bytes)
        return by_bytes
    if claimed in _BINARY:
        raise _mismatch(f"it is declared as {claimed}, its content is {by_bytes}")
    return claimed or by_bytes


def _check_single(data: bytes, found: str) -> None:
    """Refuse a file that is two in one: what is before a PDF, or a zip archive behind another file, is for another reader."""
    before = data[: max(0, data.find(_PDF))].lstrip() if found == PDF else b""
    if _HTML_HEAD.search(before) or before.startswith(_ANY_MAGIC):
        raise _mismatch(f"it is {found} with something else before it")
    tail = data[-_ZIP_TAIL:]
    place = tail.rfind(_ZIP_END)
    if found == DOCX or place < max(0, tail.rfind(_PDF_END)):
        return
    comment = int.from_bytes(tail[place + _ZIP_END_BYTES - 2 : place + _ZIP_END_BYTES], "little")
    if len(tail) - place - _ZIP_END_BYTES == comment:  # chance writes the mark, but not the length that goes with it
        raise _mismatch(f"it is {found} and a zip archive in one")


def claimed_type(name: str, declared_type: str) -> str | None:
    """The type that a file's name and declared type claim, before there are bytes; None when neither says. Errors: as `sniff`."""
    by_name, declared = _by_extension(name), _by_declared(declared_type)
    if by_name and declared and not _same_family(by_name, declared):
        raise _mismatch(f"its name says {by_name}, its declared type {declared}")
    return by_name or declared


def _by_extension(name: str) -> str | None:
    found = _EXTENSION.search(name.strip())
    extension = found[1].lower() if found else ""
    if extension in _REFUSED_EXTENSIONS:
        raise failed(FailureKind.UNSUPPORTED_TYPE, f"Files named .{extension} are not read. {_READ}")
    return _BY_EXTENSION.get(extension)


def _by_declared(declared_type: str) -> str | None:
    declared = declared_type.partition(";")[0].strip().lower()
    if declared in _UNDECLARED:
        return None
    if declared not in _BY_DECLARED:
        raise failed(FailureKind.UNSUPPORTED_TYPE, f"Files of type {declared} are not read. {_READ}")
    return _BY_DECLARED[declared]


def _by_magic(data: bytes, claimed: str | None) -> str:
    """The type that the bytes show: PDF, DOCX (any zip: its parts are checked when opened), HTML or plain text."""
    if data[:_HEAD].lstrip().startswith(_PDF) or (claimed == PDF and _PDF in data[:_PDF_WITHIN]):
        return PDF
    if data.startswith(_ZIP):
        return DOCX
    if data.startswith(_OLE):
        raise _ole_failure(data)
    for magic, image in _IMAGE_MAGIC:
        if data.startswith(magic):
            return image
    for magic, what in _BINARY_MAGIC:
        if data.startswith(magic):
            raise _not_read(what, claimed)
    head = _narrow(data[:_HEAD])
    if _SVG_ROOT.match(head):
        raise failed(FailureKind.UNSUPPORTED_TYPE, "SVG images are not read.")
    # A table with a NUL in it is a damaged table: its reader says so.
    if not _is_text(head.replace(b"\0", b"") if claimed == CSV else head):
        raise _not_read("binary data", claimed)
    return HTML if _HTML_HEAD.search(head[:_PDF_WITHIN]) else PLAIN


def _ole_failure(data: bytes) -> Exception:
    if _OLE_ENCRYPTED in data:
        return failed(FailureKind.ENCRYPTED, "The document opens only with a password.")
    return failed(FailureKind.UNSUPPORTED_TYPE, "Office files from before 2007 are not read; save the file as .docx.")


def _not_read(what: str, claimed: str | None) -> Exception:
    if claimed:
        return _mismatch(f"it is declared as {claimed}, its content is {what}")
    return failed(FailureKind.UNSUPPORTED_TYPE, f"The file is {what}, which is not read.")


def _mismatch(detail: str) -> Exception:
    return failed(FailureKind.TYPE_MISMATCH, f"The file contradicts itself: {detail}.")


def _same_family(by_name: str, declared: str) -> bool:
    return by_name == declared or {by_name, declared} == {PLAIN, MARKDOWN} or {by_name, declared} == {PLAIN, CSV}


def _narrow(head: bytes) -> bytes:
    """Wide text as UTF-8, so that what is ASCII in it can be recognised."""
    for bom, encoding in BOMS:
        if head.startswith(bom):
            return head[len(bom) :].decode(encoding, errors="ignore").encode()
    wide = wide_encoding(head)
    return head.decode(wide, errors="ignore").encode() if wide else head


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    return len(head) - len(head.translate(None, _CONTROLS)) <= _MAX_CONTROLS * len(head)
