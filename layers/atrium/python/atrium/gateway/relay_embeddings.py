"""Embeddings in OpenAI's shape: a provider's bytes pass as they come, checked without becoming numbers.

A vector of a wrong length, or with values that are no numbers, is a ProviderError: what is stored is searched for years.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from atrium.gateway.bounds import uncautious
from atrium.gateway.embedding import count_exactly
from atrium.gateway.metering import Meter
from atrium.gateway.openai_answers import usage_within
from atrium.gateway.openai_shape import refused
from atrium.gateway.preparing import ModelSet
from atrium.gateway.relay_attempts import FEATURE, GRACE, SECONDS, answered, attempts_of, counted, with_key
from atrium.gateway.routing import Candidate
from atrium.gateway.service import GatewayService
from atrium.kernel.errors import ProviderError
from atrium.kernel.principal import Principal
from atrium.ledger.models import Kind, Outcome, Reservation, Spend
from atrium.providers.base import Usage, Vectors
from atrium.providers.catalogue import EmbeddingSpec, Provider, providers
from atrium.providers.openai_relay import OpenAIRelay

_PATH: Final = "embeddings"
_LOCAL: Final = "local/"
_FLOAT: Final = 4  # bytes
# What passes on: another field may cost what nobody reserved, or make a server of one's own read what it should not.
_FIELDS: Final = ("input", "model", "dimensions", "encoding_format", "user")
# Where each vector stands: a base64 string, or a list of numbers.
_VECTOR: Final = re.compile(rb'"embedding"\s*:\s*(?:"([^"]*)"|\[([^\]\[]*)\])')
# Some servers have the field in every answer.
_FAILED: Final = re.compile(rb'"error"\s*:\s*(?!\s|null)')
# What a list of numbers is made of; Infinity and NaN, which Python's own writers put there, are not.
_DIGITS: Final = b"0123456789+-.eE, \n\r\t"


@dataclass(frozen=True, slots=True)
class AskedVectors:
    """What was asked for. `inputs` are texts, or lists of token ids; `tokens` a cautious count of them all."""

    body: Mapping[str, Any]
    models: ModelSet
    candidate: Candidate[EmbeddingSpec]
    inputs: Sequence[Any]
    tokens: int

    @property
    def ignored(self) -> tuple[str, ...]:
        """Fields that asked for something and are told to nobody."""
        return tuple(name for name, value in self.body.items() if name not in _FIELDS and value is not None)

    def wire(self) -> bytes:
        """The body that its provider gets."""
        told = {name: self.body[name] for name in _FIELDS if name in self.body}
        told["model"] = self.candidate.spec.model.partition("/")[2]
        return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()

    def spend(self, request_id: str) -> Spend:
        """What is to be reserved for it."""
        spec = self.candidate.spec
        bound = spec.price.bound(self.tokens, 0)
        return Spend(Kind.EMBEDDING, spec.model, FEATURE, bound, seconds=SECONDS + GRACE, request_id=request_id)


async def plan_embeddings(
    principal: Principal, models: ModelSet, body: Mapping[str, Any], inputs: Sequence[Any], size: int = 0
) -> AskedVectors:
    """What a body of `size` bytes comes to. Errors: UnknownModel, InvalidFields, ProviderNotConfigured."""
    spec = models.embedding(body["model"])
    if spec.model.startswith(_LOCAL):
        _check_local(body, spec, inputs)
    provider = spec.model.partition("/")[0]
    candidate = Candidate(spec, await models.credentials(principal, provider), own_key=models.owns_key(provider))
    return AskedVectors(body, models, candidate, inputs, await counted({"input": body["input"]}, size))


class EmbeddingRelay:
    """One per process."""

    def __init__(self, gateway: GatewayService, wire: OpenAIRelay) -> None:
        self._gateway = gateway
        self._wire = wire

    async def embed(self, principal: Principal, asked: AskedVectors, reservation: Reservation, request_id: str = "") -> bytes:
        """The answer's JSON, settled. Errors: ProviderError with attempts, ContextTooLong of the local model."""
        meter = Meter(self._gateway.ledger, principal, reservation, asked.spend(request_id))

        async def ask(candidate: Candidate[EmbeddingSpec]) -> tuple[bytes, Usage | None]:
            return await (self._local(asked) if candidate.provider == "local" else self._relayed(principal, asked, meter))

        routed = await answered(self._gateway.router, meter, asked.candidate, ask)
        body, told = routed.value
        used, spec = told or Usage(uncautious(asked.tokens)), asked.candidate.spec
        cost, tried = spec.price.cost(used), attempts_of(routed)
        await meter.settle(Outcome.OK, spec.model, cost=cost, usage=used, counted=told is not None, attempts=tried)
        return body

    async def _relayed(self, principal: Principal, asked: AskedVectors, meter: Meter) -> tuple[bytes, Usage | None]:
        candidate = asked.candidate
        provider, price = providers()[candidate.provider], candidate.spec.price
        body = asked.wire()
        told: Usage | None = None
        # Texts that were sent are paid for, also where no vectors come back, or none that can be used.
        with meter.answerless(lambda: price.cost(told or Usage(uncautious(asked.tokens)))):
            reply = await with_key(principal, asked.models, candidate, lambda key: self._wire.whole(provider, key, _PATH, body))
            told = usage_within(reply)
            try:
                check_vectors(provider, reply, len(asked.inputs), _expected(asked, provider))
            except ProviderError as error:
                error.charged = True
                raise
        return reply, told

    async def _local(self, asked: AskedVectors) -> tuple[bytes, Usage | None]:
        spec = asked.candidate.spec
        embedder = await self._gateway.adapters.embedding(spec.model)
        tokens = await count_exactly(embedder, asked.inputs)
        vectors = await embedder.embed(asked.inputs, "document")
        return local_reply(spec.model, vectors, tokens, as_text=asked.body.get("encoding_format") == "base64"), Usage(tokens)


def check_vectors(provider: Provider, reply: bytes, count: int, dimensions: int | None) -> None:
    """ProviderError unless there are so many vectors, all of one length, which is `dimensions` where that is known."""
    found = list(_VECTOR.finditer(reply))
    if len(found) != count:
        raise ProviderError(f"{provider.label} answered {len(found)} vectors for {count} inputs.")
    lengths = {_length(provider, each[1], each[2]) for each in found}
    if len(lengths) != 1 or (dimensions is not None and lengths != {dimensions}):
        raise ProviderError(f"{provider.label} answered vectors of the lengths {sorted(lengths)[:3]}, not {dimensions or 'one'}.")
    if _FAILED.search(reply, 0, 200) or not reply.rstrip().endswith(b"}"):
        raise ProviderError(f"The answer of {provider.label} cannot be read.")


def local_reply(model: str, vectors: Vectors, tokens: int, *, as_text: bool) -> bytes:
    """The local model's vectors as OpenAI answers them."""
    data = [
        {"object": "embedding", "index": at, "embedding": base64.b64encode(row).decode() if as_text else _floats(row)}
        for at, row in enumerate(_rows(vectors))
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return json.dumps({"object": "list", "data": data, "model": model, "usage": usage}, separators=(",", ":")).encode()


def _length(provider: Provider, text: bytes | None, numbers: bytes | None) -> int:
    """Of one vector, whose values are numbers."""
    if text is None:
        written = numbers or b""
        if written.translate(None, _DIGITS) or not written.strip():
            raise ProviderError(f"{provider.label} answered a vector with values that are no numbers.")
        return written.count(b",") + 1
    import numpy as np

    try:
        values = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4")
    except ValueError as exc:
        raise ProviderError(f"{provider.label} answered a vector that is not base64.") from exc
    if not np.isfinite(values).all():
        raise ProviderError(f"{provider.label} answered a vector with values that are no numbers.")
    return len(values)


def _expected(asked: AskedVectors, provider: Provider) -> int | None:
    """How long a vector must be. A server of one's own may have any model behind a name."""
    wanted: int | None = asked.body.get("dimensions")
    return wanted or (None if provider.open else asked.candidate.spec.space.dimensions)


def _check_local(body: Mapping[str, Any], spec: EmbeddingSpec, inputs: Sequence[Any]) -> None:
    if not all(isinstance(each, str) for each in inputs):
        raise refused(
            "/input", f"must be text: the token ids of another model mean nothing to {spec.model}. "
            "In LangChain that is OpenAIEmbeddings(check_embedding_ctx_length=False)."
        )  # fmt: skip
    if body.get("dimensions") not in {None, spec.space.dimensions}:
        raise refused("/dimensions", f"must be {spec.space.dimensions}, the length of the vectors of {spec.model}.")


def _rows(vectors: Vectors) -> Iterator[bytes]:
    size = vectors.dimensions * _FLOAT
    return (vectors.data[at * size : (at + 1) * size] for at in range(vectors.count))


def _floats(row: bytes) -> list[float]:
    import numpy as np

    values: list[float] = np.frombuffer(row, dtype="<f4").astype("f8").tolist()
    return values
