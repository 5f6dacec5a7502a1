"""The ways in which a file cannot become text: the stable kinds its owner sees, and what each says."""

from enum import StrEnum

from atrium.kernel.errors import IngestionFailed


class FailureKind(StrEnum):
    """Every `IngestionFailed.kind` that parsing raises. All are permanent: the same file fails the same way again."""

    CORRUPT = "corrupt"
    EMPTY_TEXT = "empty-text"
    ENCRYPTED = "encrypted"
    PARSER_MEMORY = "parser-memory"
    PARSER_TIMEOUT = "parser-timeout"
    TOO_LARGE = "too-large"
    TOO_MANY_PAGES = "too-many-pages"
    TOO_MANY_SCANNED_PAGES = "too-many-scanned-pages"
    TYPE_MISMATCH = "type-mismatch"
    UNSAFE_ARCHIVE = "unsafe-archive"
    UNSUPPORTED_TYPE = "unsupported-type"


def failed(kind: FailureKind, detail: str) -> IngestionFailed:
    """The error to raise: `detail` is a sentence for the document's owner."""
    return IngestionFailed(kind.value, detail)
