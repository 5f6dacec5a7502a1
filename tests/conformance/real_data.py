"""Where the real files are, and how extracted text is scored against a reference."""

import os
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

DATA = Path(os.environ.get("ATRIUM_CONFORMANCE_DATA") or Path(__file__).parents[3] / "shared" / "data")

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no evaluation data at {DATA}; set ATRIUM_CONFORMANCE_DATA")


def files(folder: str, pattern: str = "*") -> list[Path]:
    """The real files of a folder; none where there is no data."""
    return sorted(path for path in (DATA / folder).glob(pattern) if path.is_file())


def token_f1(reference: dict[str, int], text: str) -> float:
    """F1 of two multisets of tokens: runs of word characters after NFKC and case folding."""
    wanted = Counter(reference)
    found = Counter(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))
    hits = (wanted & found).total()
    return 2 * hits / max(1, wanted.total() + found.total())
