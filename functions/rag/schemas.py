"""The wire contracts of search and answers."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints

from atrium.answers.models import AnswerRequest, Citation, Done, Retrieval, Source
from atrium.prompts.models import Explain
from atrium.providers.base import Usage
from atrium.retrieval.filters import MAX_VALUES, Comparison, Filter, Group, compile_filter
from atrium.retrieval.models import Hit, Scope, SearchMode, SearchRequest, SearchResult
from atrium.web.prompt_fields import PromptField, reference_of
from atrium.web.schemas import JsonId, Reply, StrictModel

Question = Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=r"\S")]
CollectionName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9._-]{1,64}$")]
Mode = Literal["hybrid", "vector", "keyword"]
Text = Annotated[str, StringConstraints(max_length=1000)]
Scalar = Text | int | float | bool
TopK = Annotated[int, Field(ge=1, le=50, description="How many passages.")]


Key = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _NotYet(BeforeValidator):
    """A field that is known and may only be absent or null."""

    def __init__(self, instead: str) -> None:
        def refuse(value: object) -> None:
            if value is not None:
                raise ValueError(f"is not supported: {instead}")

        super().__init__(refuse)


class EqualityIn(StrictModel):
    """One key of the documents' metadata against a value."""

    type: Literal["eq", "ne"]
    key: Key
    value: Scalar

    def filter(self) -> Filter:
        """The domain's form."""
        return Comparison(self.type, self.key, self.value)


class OrderIn(StrictModel):
    """One key of the documents' metadata before or after a value: numbers as numbers, texts by code points."""

    type: Literal["gt", "gte", "lt", "lte"]
    key: Key
    value: Text | int | float

    def filter(self) -> Filter:
        """The domain's form."""
        return Comparison(self.type, self.key, self.value)


class MembershipIn(StrictModel):
    """One key of the documents' metadata against a list of values: any of them, or none."""

    type: Literal["in", "nin"]
    key: Key
    value: Annotated[list[Scalar], Field(min_length=1, max_length=MAX_VALUES)]

    def filter(self) -> Filter:
        """The domain's form."""
        return Comparison(self.type, self.key, self.value)


class GroupIn(StrictModel):
    """All, or any, of several filters."""

    type: Literal["and", "or"]
    filters: Annotated[list["FilterIn"], Field(min_length=1, max_length=50)]

    def filter(self) -> Filter:
        """The domain's form."""
        return Group(self.type, [part.filter() for part in self.filters])


FilterIn = Annotated[EqualityIn | OrderIn | MembershipIn | GroupIn, Field(discriminator="type")]


class ScopeIn(StrictModel):
    """Where to look; what is absent does not narrow."""

    mode: Mode = "hybrid"
    filters: FilterIn | None = Field(default=None, description="Over the documents' metadata.")
    collections: Annotated[list[CollectionName], Field(max_length=100)] | None = None
    document_ids: Annotated[list[JsonId], Field(max_length=1000)] | None = None
    rerank: bool | Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        default=False, description="By the deployment's reranker, which a name may say; refused where there is none."
    )

    def scope(self) -> Scope:
        """The domain's form. InvalidFields for a filter that cannot be compared."""
        return Scope(
            _fixed(self.collections),
            _fixed(self.document_ids),
            None if self.filters is None else compile_filter(self.filters.filter()),
        )


class SearchIn(ScopeIn):
    """A search."""

    query: Question
    top_k: TopK = 10

    def request(self) -> SearchRequest:
        """The domain's form."""
        return SearchRequest(self.query, self.top_k, SearchMode(self.mode), self.scope(), self.rerank)


class QuestionIn(ScopeIn):
    """A question to be answered; `model` is `provider/name`: the prompt's when absent, or the tenant's choice, or the
    deployment's. `prompt` gives the instructions; absent: the tenant's for answers, or the platform's, or the built-in one.
    """

    question: Question
    top_k: TopK = 8
    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    prompt: PromptField | None = None
    conversation_id: Annotated[None, _NotYet("every question is answered by itself")] = None

    def request(self) -> AnswerRequest:
        """The domain's form."""
        mode = SearchMode(self.mode)
        prompt = None if self.prompt is None else reference_of(self.prompt)
        return AnswerRequest(self.question, self.top_k, mode, self.scope(), self.model, self.rerank, prompt=prompt)


class Scores(Reply):
    """Cosine similarity, and the weight of the shared words; null where that half did not find the passage."""

    vector: float | None
    keyword: float | None


class HitOut(Reply):
    """A passage; `text` is the stored text's from `char_start` to `char_end`, in characters. Pages count from 1."""

    chunk_id: UUID
    document_id: UUID
    document_name: str
    version: int
    page_from: int | None
    page_to: int | None
    char_start: int
    char_end: int
    heading: str
    text: str
    score: float
    scores: Scores

    @classmethod
    def of(cls, hit: Hit, **more: int) -> Self:
        """The wire form."""
        fields = {name: getattr(hit, name) for name in HitOut.model_fields if name != "scores"}
        return cls(**fields, scores=Scores(vector=hit.vector_score, keyword=hit.keyword_score), **more)


class SearchOut(Reply):
    """The passages found, best first. `candidates_scanned`: how many were compared exactly; of a large organisation's own
    index those that it gave. `degraded`: embedding models out of reach, whose collections were searched by words alone.
    """

    results: list[HitOut]
    mode: Mode
    candidates_scanned: int
    degraded: list[str]

    @classmethod
    def of(cls, result: SearchResult) -> Self:
        """The wire form."""
        hits = [HitOut.of(hit) for hit in result.hits]
        degraded = list(result.degraded)
        return cls(results=hits, mode=result.mode.value, candidates_scanned=result.candidates_scanned, degraded=degraded)


class SourceOut(HitOut):
    """A passage that the answer may cite as `[marker]`."""

    marker: int


class RetrievalOut(Reply):
    """How the answer's passages were found, and which were shown to the model.

    Passages that touch in their document share a `marker`: the model read them as one. `passages_dropped`: how many of those
    found had no room in the model's window as a whole. `degraded`: embedding models out of reach, whose collections were
    searched by words alone.
    """

    mode: Mode
    candidates_scanned: int
    degraded: list[str]
    passages_used: int
    passages_dropped: int
    sources: list[SourceOut]

    @classmethod
    def of(cls, retrieval: Retrieval, sources: Sequence[Source]) -> Self:
        """The wire form."""
        shown = [SourceOut.of(part, marker=source.marker) for source in sources for part in source.parts]
        return cls(
            mode=retrieval.mode.value,
            candidates_scanned=retrieval.candidates_scanned,
            degraded=list(retrieval.degraded),
            passages_used=retrieval.passages_used,
            passages_dropped=retrieval.passages_dropped,
            sources=shown,
        )


class CitationOut(Reply):
    """Verified: `quote` stands in the document's stored text from `char_start` to `char_end`. Else it was found nowhere."""

    marker: int
    document_id: UUID
    document_name: str
    version: int
    page: int | None
    quote: str
    char_start: int | None
    char_end: int | None
    verified: bool

    @classmethod
    def of(cls, citation: Citation) -> Self:
        """The wire form."""
        return cls.model_validate(citation)


class UsageOut(Reply):
    """Tokens, as the model's provider counts them."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int

    @classmethod
    def of(cls, usage: Usage) -> Self:
        """The wire form."""
        return cls(**asdict(usage))


class AnswerPromptOut(Reply):
    """The prompt whose instructions held, of which layer; the built-in one has no version."""

    key: str
    layer: Literal["tenant", "platform", "builtin"]
    version: int | None
    label: str | None

    @classmethod
    def of(cls, explain: Explain) -> Self:
        """The wire form."""
        return cls.model_validate(explain)


class AnswerOut(Reply):
    """An answer. `unsupported`: its sentences without a verified citation. `model`: null when none had to be asked."""

    answer: str
    citations: list[CitationOut]
    unsupported: list[str]
    usage: UsageOut
    model: str | None
    prompt: AnswerPromptOut
    retrieval: RetrievalOut

    @classmethod
    def of(cls, done: Done, retrieval: RetrievalOut, prompt: Explain) -> Self:
        """The wire form."""
        return cls(
            answer=done.answer,
            citations=[CitationOut.of(citation) for citation in done.citations],
            unsupported=list(done.unsupported),
            usage=UsageOut.of(done.usage),
            model=done.model or None,
            prompt=AnswerPromptOut.of(prompt),
            retrieval=retrieval,
        )


def _fixed[Item](items: list[Item] | None) -> tuple[Item, ...] | None:
    return None if items is None else tuple(items)
