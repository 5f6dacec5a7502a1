"""Names: what people see, what the object store is given, and which of our types a file's name and label mean.

A name comes from outside and is only ever shown; object keys are made here.
"""

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Final

from atrium.documents.parsing.registry import DOCX, HTML, MARKDOWN, PDF, PLAIN
from atrium.kernel.errors import InvalidInput, UnsupportedMediaType

# The unique index on names holds it whole; S3 allows a key the same length.
MAX_NAME_BYTES: Final = 1024
UNKNOWN: Final = "application/octet-stream"

_COLLECTION: Final = re.compile(r"[a-z0-9._-]{1,64}")
# Marks that reorder the characters around them: `invoice‮fdp.exe` would be read as something else.
_REORDERING: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_EXTENSIONS: Final = {
    ".pdf": PDF,
    ".docx": DOCX,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".txt": PLAIN,
    ".text": PLAIN,
    ".log": PLAIN,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
}
_SAFE_EXTENSIONS: Final = {PDF: ".pdf", DOCX: ".docx", HTML: ".html", PLAIN: ".txt", MARKDOWN: ".md"}
_SYNONYMS: Final = {
    "application/xhtml+xml": HTML,
    "text/x-markdown": MARKDOWN,
    "application/x-pdf": PDF,
}
# Extensions of files that are surely something else: their bytes are refused before they are stored.
_KNOWN_OTHERS: Final = frozenset(
    ".svg .png .jpg .jpeg .gif .tif .tiff .bmp .webp .csv .tsv .xls .xlsx .xlsm .ppt .pptx .doc .docm .odt .rtf .epub"
    " .zip .gz .tar .7z .rar .exe .dll .msi .sh .bat .jar .apk .iso .mp3 .mp4 .mov .wav .json .xml .eml".split()
)


def display_name(name: str) -> str:
    """The name as it is stored and shown: NFC, one line, no control or reordering marks.

    `InvalidInput` when nothing is left, or more than 1,024 bytes.
    """
    visible = (c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) not in {"Cc", "Cs"} and c not in _REORDERING)
    shown = " ".join("".join(visible).split())
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


def safe_file_name(name: str, content_type: str) -> str:
    """The file's name inside an object key: ASCII, at most 100 characters, with the extension of its type."""
    extension = _SAFE_EXTENSIONS.get(content_type, "")
    path = PurePosixPath(file_name(name))
    stem = path.stem if type_of_name(name) == content_type else path.name
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", stem).strip("._") or "document"
    return plain[: 100 - len(extension)] + extension


def type_of_name(name: str) -> str:
    """The type that a name's extension means; `application/octet-stream` for one that we do not know."""
    return _EXTENSIONS.get(PurePosixPath(file_name(name)).suffix.lower(), UNKNOWN)


def upload_type(name: str, declared: str) -> str:
    """The type of an uploaded file, when its name and its declared type agree on one that we read.

    The bytes are looked at later, in the pipeline. `UnsupportedMediaType` otherwise.
    """
    label = declared.partition(";")[0].strip().lower()
    label = _SYNONYMS.get(label, label)
    by_name = type_of_name(name)
    if by_name != UNKNOWN:
        if label in {"", UNKNOWN, by_name} or (label.startswith("text/") and by_name.startswith("text/")):
            return by_name
        raise UnsupportedMediaType(f"The file is called {display_name(name)} but declared as {label}.")
    if label in _SAFE_EXTENSIONS and PurePosixPath(file_name(name)).suffix.lower() not in _KNOWN_OTHERS:
        return label
    raise UnsupportedMediaType("Files of this type are not read. Readable are PDF, DOCX, HTML, TXT and Markdown.")


def text_type(name: str) -> str:
    """The type of text that was sent in JSON under this name: what its extension says, plain text when that is no text type."""
    by_name = type_of_name(name)
    return by_name if by_name.startswith("text/") else PLAIN
