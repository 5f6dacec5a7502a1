"""Languages of real questions, passages and files are told."""

import json

import pytest
from charset_normalizer import from_bytes

from atrium.retrieval.language import detect
from tests.conformance.real_data import DATA, needs_data

pytestmark = needs_data

_CODES = {
    "Arabic": "ar", "Bulgarian": "bg", "Chinese": "zh", "English": "en", "French": "fr", "Greek": "el", "Hebrew": "he",
    "Korean": "ko", "Polish": "pl", "Russian": "ru", "Spanish": "es", "Turkish": "tr",
}  # fmt: skip


@pytest.mark.parametrize(
    ("dataset", "file", "language", "least"),
    [
        ("xquad-en", "queries", "en", 0.995),
        ("xquad-en", "corpus", "en", 1.0),
        ("xquad-de", "queries", "de", 0.99),
        ("xquad-de", "corpus", "de", 1.0),
        ("cranfield", "queries", "en", 1.0),
        ("cranfield", "corpus", "en", 1.0),
    ],
)
def test_questions_and_passages(dataset: str, file: str, language: str, least: float) -> None:
    lines = (DATA / "rag" / dataset / f"{file}.jsonl").read_text().splitlines()
    texts = [text for line in lines if (text := json.loads(line)["text"].strip())]
    right = sum(detect(text) == language for text in texts)
    assert right / len(texts) >= least


def test_files() -> None:
    gold = json.loads((DATA / "text" / "gold.json").read_text())
    found = {name: detect(str(from_bytes((DATA / "text" / name).read_bytes()).best())) for name in gold}
    gold.pop("sample-polish.txt")
    assert found.pop("sample-polish.txt") in {"", "pl"}, "a glossary: every line of it is in English and in Polish"
    assert found == {name: _CODES[entry["language"]] for name, entry in gold.items()}
