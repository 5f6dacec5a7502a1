"""Names and types at the door: what people see, what the object store is given, and what we agree to read.

A name comes from outside and is only ever shown; object keys are made here.
"""

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Final

from atrium.documents.parsing.registry import CSV, DOCX, HTML, JPEG, MARKDOWN, PDF, PLAIN, PNG, TIFF
from atrium.documents.parsing.sniff import claimed_type, sniff
from atrium.kernel.errors import IngestionFailed, InvalidInput, UnsupportedMediaType
from atrium.kernel.invisible import visible

# The unique index on names holds it whole; S3 allows a key the same length.
MAX_NAME_BYTES: Final = 1024
UNKNOWN_TYPE: Final = "application/octet-stream"

_COLLECTION: Final = re.compile(r"[a-z0-9._-]{1,64}")
_EXTENSIONS: Final = {
    PDF: ".pdf", DOCX: ".docx", HTML: ".html", PLAIN: ".txt", MARKDOWN: ".md", CSV: ".csv",
    PNG: ".png", JPEG: ".jpg", TIFF: ".tif",
}  # fmt: skip
# Of files that are not text: every extension that says their type.
_SPELLINGS: Final = {PDF: (".pdf",), DOCX: (".docx",), PNG: (".png",), JPEG: (".jpg", ".jpeg"), TIFF: (".tif", ".tiff")}
_SAFE_LENGTH: Final = 100


def display_name(name: str) -> str:
    """The name as it is stored and shown: NFC, one line, nothing that is not seen.

    Marks that reorder go too: with one of them `invoice.fdp.exe` reads as `invoice.exe.pdf`. `InvalidInput` when nothing
    is left, or more than 1,024 bytes.
    """
    seen = visible(" ".join(name.split()))
    shown = " ".join(unicodedata.normalize("NFC", seen).split())
    if not shown:
        raise InvalidInput("The name is empty.")
    if len(shown.encode()) > MAX_NAME_BYTES:
        raise InvalidInput(f"The name is longer than {MAX_NAME_BYTES:,} bytes.")
    return shown


def file_name(name: str) -> str:
    """The last part of what a browser or script sent as a file's name: some send a whole path."""
    return name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def is_collection(name: str) -> bool:
    """Whether a collection may be called this: `[a-z0-9._-]{1,64}`."""
    return _COLLECTION.fullmatch(name) is not None


def upload_type(data: bytes, name: str, declared: str) -> str:
    """The type of an uploaded file, when its first bytes, its name and its declared type agree on one that we read.

    `UnsupportedMediaType` otherwise, before anything is stored; the pipeline looks again, more closely.
    """
    try:
        return sniff(data, name, declared)
    except IngestionFailed as failure:
        raise UnsupportedMediaType(failure.detail) from failure


def planned_type(name: str, declared: str) -> str:
    """The type of a file that is still to be sent, when its name and its declared type agree on one that we read.

    `UnsupportedMediaType` otherwise; the pipeline compares the bytes with it when they are there.
    """
    try:
        claimed = claimed_type(name, declared)
    except IngestionFailed as failure:
        raise UnsupportedMediaType(failure.detail) from failure
    if claimed is None:
        raise UnsupportedMediaType("Neither the name nor the type says what the file is.")
    return claimed


def text_type(name: str) -> str:
    """The type of text that was sent in JSON under this name: what the name says where that is text, else plain text."""
    return _type_of_text(name) or PLAIN


def suits(name: str, content_type: str) -> bool:
    """Whether a file of this type may be called that."""
    if content_type in _SPELLINGS:
        return name.lower().endswith(_SPELLINGS[content_type])
    return _type_of_text(name) == content_type


def typed_name(name: str, content_type: str) -> str:
    """The name, with the extension of the type appended where it has that of none or of another."""
    return name if suits(name, content_type) else name + _EXTENSIONS.get(content_type, "")


def safe_file_name(name: str, content_type: str) -> str:
    """The file's name inside an object key: ASCII, at most 100 characters, with the extension of its type."""
    path, extension = PurePosixPath(file_name(name)), _EXTENSIONS.get(content_type, "")
    stem = path.stem if suits(path.name, content_type) else path.name
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", stem).strip("._") or "document"
    return plain[: _SAFE_LENGTH - len(extension)] + extension


def _type_of_text(name: str) -> str | None:
    """The text type that a name stands for, plain for one without an extension; None for another kind of file."""
    try:
        return sniff(b"", name)
    except IngestionFailed:
        return None
