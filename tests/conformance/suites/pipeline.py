"""What every `Pipeline` does."""

from dataclasses import dataclass

import pytest

from atrium.answers.models import AnswerRequest
from atrium.documents.models import Upload
from atrium.kernel.errors import IngestionFailed, InvalidInput
from atrium.kernel.principal import Principal
from atrium.pipeline import Pipeline
from atrium.retrieval.models import SearchMode, SearchRequest

TERMS = b"# Warranty\n\nThe warranty period is 24 months from delivery. Wearing parts are excluded.\n"
QUESTION = "How long is the warranty period?"


@dataclass(frozen=True)
class Deployment:
    """A pipeline, and principals of two tenants that have no documents yet."""

    pipeline: Pipeline
    tenant: Principal
    other: Principal


class PipelineSuite:
    """Give the fixture `deployment`: its models answer by quoting, as local/extractive does."""

    @pytest.fixture
    def deployment(self) -> Deployment:
        """The pipeline under test."""
        raise NotImplementedError

    async def test_what_was_ingested_is_found_and_quoted(self, deployment: Deployment) -> None:
        pipeline, tenant = deployment.pipeline, deployment.tenant
        document = await pipeline.ingest(tenant, Upload("terms.md", TERMS, "text/markdown"))
        assert document.ready_version == 1
        found = await pipeline.search(tenant, SearchRequest("warranty period", mode=SearchMode.KEYWORD))
        assert [hit.document_id for hit in found.hits] == [document.id]
        answer = await pipeline.query(tenant, AnswerRequest(QUESTION, mode=SearchMode.KEYWORD))
        assert "24 months" in answer.done.answer
        assert [citation.document_id for citation in answer.done.citations] == [document.id]

    async def test_the_same_file_again_is_the_same_document(self, deployment: Deployment) -> None:
        upload = Upload("terms.md", TERMS, "text/markdown")
        once = await deployment.pipeline.ingest(deployment.tenant, upload)
        again = await deployment.pipeline.ingest(deployment.tenant, upload)
        assert (once.id, once.ready_version) == (again.id, again.ready_version)

    async def test_another_tenant_finds_nothing(self, deployment: Deployment) -> None:
        await deployment.pipeline.ingest(deployment.tenant, Upload("terms.md", TERMS, "text/markdown"))
        found = await deployment.pipeline.search(deployment.other, SearchRequest("warranty period", mode=SearchMode.KEYWORD))
        assert not found.hits
        answer = await deployment.pipeline.query(deployment.other, AnswerRequest(QUESTION, mode=SearchMode.KEYWORD))
        assert not answer.done.citations

    async def test_what_cannot_become_text_says_why(self, deployment: Deployment) -> None:
        with pytest.raises(IngestionFailed) as failure:
            await deployment.pipeline.ingest(deployment.tenant, Upload("blank.md", b" \n ", "text/markdown"))
        assert failure.value.kind == "empty-text"

    async def test_an_empty_question_is_refused(self, deployment: Deployment) -> None:
        with pytest.raises(InvalidInput):
            await deployment.pipeline.search(deployment.tenant, SearchRequest(" "))
        with pytest.raises(InvalidInput):
            await deployment.pipeline.query(deployment.tenant, AnswerRequest(" "))
