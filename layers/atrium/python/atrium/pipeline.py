"""Documents in, answers out, in three verbs: what a program of one's own calls when it wants no HTTP between."""

import asyncio
import time
from typing import Final, Protocol

from atrium.answers.models import Answer, AnswerRequest
from atrium.answers.service import AnswerService
from atrium.documents.models import Document, Status, Upload
from atrium.documents.parts import Parts as DocumentParts
from atrium.documents.service import DocumentService
from atrium.documents.uploading import UploadService
from atrium.gateway.metered import Gateway, chat_models, embedders
from atrium.gateway.models import Purpose
from atrium.kernel.errors import IngestionFailed, Unavailable
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal
from atrium.retrieval.models import SearchRequest, SearchResult
from atrium.retrieval.reranking import RerankerOf
from atrium.retrieval.service import RetrievalService

_EVERY: Final = 0.25


class Pipeline(Protocol):
    """The whole of Atrium's main job for one tenant's principal. Errors: those of `atrium.kernel.errors`."""

    async def ingest(self, principal: Principal, upload: Upload) -> Document:
        """The document once it can be found. `IngestionFailed` says why it cannot become text."""
        ...

    async def query(self, principal: Principal, request: AnswerRequest) -> Answer:
        """An answer, with citations that were found in the documents."""
        ...

    async def search(self, principal: Principal, request: SearchRequest) -> SearchResult:
        """The best passages."""
        ...


class Parts(DocumentParts, Protocol):
    """What the services are built from; `atrium.runtime.Runtime` is one."""

    @property
    def gateway(self) -> Gateway:
        """Every model, metered."""
        ...

    @property
    def reranker(self) -> RerankerOf:
        """The reranker of a name."""
        ...


class ServicePipeline:
    """`Pipeline` by the services that the API calls; the deployed state machine does the work of `ingest`.

    `patience`: seconds that `ingest` waits for it. What takes longer goes on, and `Unavailable` is raised here.
    """

    def __init__(self, parts: Parts, *, patience: float = 900.0) -> None:
        self._patience = patience
        self._uploads = UploadService(parts)
        self._documents = DocumentService(parts)
        embedder, chat_model = embedders(parts.gateway, Purpose("search")), chat_models(parts.gateway, Purpose("rag"))
        self._retrieval = RetrievalService(parts.database, embedder, parts.settings, reranker=parts.reranker)
        self._answers = AnswerService(parts.database, self._retrieval, chat_model, parts.settings)

    async def ingest(self, principal: Principal, upload: Upload) -> Document:
        """See `Pipeline.ingest`. The same bytes under the same name are the document that is there."""
        document = await self._uploads.upload(principal, upload, new_id())
        until = time.monotonic() + self._patience
        while document.version.unfinished:
            if time.monotonic() > until:
                raise Unavailable("The document is still being processed.")
            await asyncio.sleep(_EVERY)
            document = await self._documents.get(principal, document.id)
        if document.version.status is Status.FAILED:
            raise IngestionFailed(document.version.error_type or "internal", document.version.error_detail or "")
        return document

    async def query(self, principal: Principal, request: AnswerRequest) -> Answer:
        """See `Pipeline.query`."""
        return await self._answers.answer_whole(principal, request)

    async def search(self, principal: Principal, request: SearchRequest) -> SearchResult:
        """See `Pipeline.search`."""
        return await self._retrieval.search(principal, request)
