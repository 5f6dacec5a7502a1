"""Files that nobody here made, through the deployed pipeline by the drop folder; each is answered from, or fails with a type."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from infra.local.cloud import Cloud
from tests.conformance.real_data import DATA, files, needs_data
from tests.e2e.test_main_job import Tenant, finished, stored_text, wait_for

pytestmark = needs_data

# What must come of the files that have no text for us: everything else must be ready.
FAILURES = {
    "enc-aes-256.pdf": "encrypted",
    "enc-rc4-128.pdf": "encrypted",
    "libreoffice-writer-password.pdf": "encrypted",
    "grayscale-image.pdf": "empty-text",
    "having-images.docx": "empty-text",
    "testWORD_protected_passtika.docx": "encrypted",
    "testWORD_truncated.docx": "corrupt",
}
# A picture that lies on its side, and a skewed scan in a PDF.
SCANS = ("phototest-rotated-L.png", "skew.pdf")
QUESTIONS = [
    ("What do the crazy ones push forward?", "crazyones-pdfa.pdf", "human race"),
    ("Where were ratings hard-wired?", "testPDF_protected.pdf", "regulation"),
    ("Von wem wurde das Skript geschrieben?", "GeoTopo-komprimiert.pdf", "Martin Thoma"),
    ("What is better than complicated?", "zen_of_python_corrupted.pdf google-doc-document.pdf", "complex"),
    ("Where is the list with the numbered bullets?", "testPDFVarious.pdf", "list"),
    ("Who walks into a bar?", "mammoth-footnotes.docx", "tachyon"),
    ("How many hyperlinks are awesome?", "par-hyperlinks.docx", "One awesome hyperlink"),
    ("What does this XML have?", "utf8-bom.docx", "byte order mark"),
    ("What is the real meat of the page?", "boilerplate.html", "the text we want"),
    ("What did the quick brown dog jump over?", "phototest-rotated-L.png", "lazy fox"),
    ("What is the LinnSequencer?", "skew.pdf", "composition and performance tool"),
    ("В каком году основано агентство недвижимости Континент-Недвижимость?", "big-preamble.html", "1999"),
]


@dataclass(frozen=True)
class Ingested:
    """The tenant that has the files, and what became of each."""

    tenant: Tenant
    documents: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def ingested(local_cloud: Cloud) -> Iterator[Ingested]:
    tenant = Tenant(local_cloud)
    real = [file for kind in ("pdf", "docx", "html") for file in files(kind, f"*.{kind}")]
    real += [DATA / "ocr" / name for name in SCANS]
    for file in real:
        tenant.drop(f"real/{file.name}", file.read_bytes())
    documents = {file.name: wait_for(partial(_ended, tenant, file.name), file.name) for file in real}
    yield Ingested(tenant, documents)
    tenant.http.close()


def _ended(tenant: Tenant, name: str) -> dict[str, Any] | None:
    found = tenant.named(name)
    return finished(found) if found else None


def test_each_is_ready_or_fails_with_its_type(ingested: Ingested) -> None:
    outcome = {name: (d["error"] or {}).get("type", "ready") for name, d in ingested.documents.items()}
    print(json.dumps(outcome, indent=1))
    assert {name: type_ for name, type_ in outcome.items() if type_ != FAILURES.get(name, "ready")} == {}
    kinds = [Path(name).suffix for name, type_ in outcome.items() if type_ == "ready"]
    assert kinds.count(".pdf") >= 10
    assert kinds.count(".docx") >= 5
    assert kinds.count(".html") >= 5


@pytest.mark.parametrize(("question", "documents", "words"), QUESTIONS, ids=[words for _, _, words in QUESTIONS])
def test_questions_are_answered_from_them(ingested: Ingested, question: str, documents: str, words: str) -> None:
    answer = ingested.tenant.http.post("/query/sync", json={"question": question, "top_k": 8}).raise_for_status().json()
    cited = [citation for citation in answer["citations"] if citation["document_name"] in documents.split()]
    assert cited, answer
    assert words.lower() in answer["answer"].lower()
    for citation in cited:
        assert citation["verified"]
        text = stored_text(ingested.tenant, citation["document_id"])
        assert text[citation["char_start"] : citation["char_end"]] == citation["quote"]


@pytest.mark.parametrize("name", SCANS)
def test_a_scan_says_how_well_it_was_read_and_is_cited_by_page(ingested: Ingested, name: str) -> None:
    document = ingested.documents[name]
    assert (document["pages"], document["ocr_pages"], document["ocr_poor_pages"]) == (1, 1, [])
    assert document["ocr_confidence"] > 0.9
    question = next(question for question, documents, _ in QUESTIONS if documents == name)
    answer = ingested.tenant.http.post("/query/sync", json={"question": question, "top_k": 8}).raise_for_status().json()
    assert {citation["page"] for citation in answer["citations"] if citation["document_name"] == name} == {1}
