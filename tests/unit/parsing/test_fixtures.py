"""The example documents are what their script writes, and each question has its answer in one of them."""

import json

import pytest

from atrium.documents.parsing.models import ExtractedText
from atrium.documents.parsing.registry import ParseOptions
from atrium.documents.parsing.worker import parse
from tests.fixtures.make_fixtures import FOLDER, documents

_QUESTIONS = json.loads((FOLDER.parent / "questions.json").read_text(encoding="utf-8"))


def _text(name: str) -> str:
    document = parse("extract", (FOLDER / name).read_bytes(), name, "", ParseOptions())
    assert isinstance(document, ExtractedText)
    return document.text


def test_the_committed_documents_are_what_the_script_writes() -> None:
    made = documents()
    assert {path.name for path in FOLDER.iterdir()} == set(made)
    for name, data in made.items():
        assert (FOLDER / name).read_bytes() == data, f"{name}: run python -m tests.fixtures.make_fixtures"


@pytest.mark.parametrize("question", _QUESTIONS, ids=lambda question: str(question["answer"]))
def test_the_answer_stands_in_the_document_that_the_question_names(question: dict[str, str]) -> None:
    assert question["answer"] in _text(question["document"])


def test_names_that_answer_stand_in_one_document_only() -> None:
    for answer in ("Ingrid Solberg", "Mei-Lin Okafor", "Tomas Ferrer", "4417", "36 months", "0.38 euros"):
        assert sum(answer in _text(path.name) for path in FOLDER.iterdir()) == 1
