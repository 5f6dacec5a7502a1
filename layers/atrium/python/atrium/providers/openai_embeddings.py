"""Embeddings on OpenAI's wire. OpenAI's vectors stay the bytes that it sends; others' are checked and made of length 1."""

import asyncio
import base64
import binascii
import math
import struct
from collections.abc import Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from atrium.kernel.errors import ProviderError
from atrium.providers.base import Vectors
from atrium.providers.catalogue import EmbeddingSpec, Provider
from atrium.providers.credentials import CredentialsSource
from atrium.providers.openai_connection import Connection, load_sdk, translated
from atrium.providers.openai_frames import counted
from atrium.providers.piece_counter import PieceCounter, in_pieces

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import CreateEmbeddingResponse
    from openai.types.create_embedding_response import Usage

EMBED_TIMEOUT: Final = 60.0
# OpenAI takes 2,048 texts and 300,000 tokens a request; this many chunks of 512 tokens stay far below. A server of one's
# own computes while we wait: less at once, so that its answer comes in time.
TEXTS_PER_CALL: Final = 256
TEXTS_PER_OWN_CALL: Final = 32
FLOAT_BYTES: Final = 4


class OpenAIEmbedder:
    """Embeddings behind `Embedder`."""

    def __init__(self, credentials: CredentialsSource, provider: Provider, spec: EmbeddingSpec) -> None:
        self._connection = Connection(credentials, provider)
        self._model = spec.space.model.partition("/")[2]
        self._prefixes = spec.prefixes
        self.texts_per_call: Final = TEXTS_PER_OWN_CALL if provider.open else TEXTS_PER_CALL
        # As declared for the space: OpenAI is asked for exactly so many.
        self.dimensions: Final = spec.space.dimensions
        # A cautious count: the exact vocabulary weighs 76 MB, and a server of one's own has any.
        self.max_tokens: Final = in_pieces(spec.space.max_tokens)
        self.tokenizer: Final = PieceCounter(before=spec.prefixes.get("document", ""))

    async def embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Vectors:
        """One L2-normalised vector per text, in order, at most 60 s a call."""
        prefix = self._prefixes.get(kind, "")
        parts = [await self._call([prefix + text for text in part]) for part in batched(texts, self.texts_per_call, strict=False)]
        told = [part.tokens for part in parts if part.tokens is not None]
        tokens = sum(told) if len(told) == len(parts) else None
        return Vectors(len(texts), self.dimensions, b"".join(part.data for part in parts), tokens)

    async def close(self) -> None:
        """Close idle connections."""
        await self._connection.close()

    async def _call(self, texts: list[str]) -> Vectors:
        provider, deadline = self._connection.provider, asyncio.get_running_loop().time() + EMBED_TIMEOUT
        await load_sdk(deadline)
        with translated(provider):
            async with asyncio.timeout_at(deadline):
                response = await self._connection.use(lambda client: self._ask(client, texts))
            # Of another shape than it should be, it is not JSON of this wire at all.
            places = [(row.index, cast("object", row.embedding)) for row in response.data]
            by_place = dict(places)
            told = cast("Usage | None", response.usage)  # the SDK does not check that it is there
            given = told and counted(told.prompt_tokens, 0, 0)
        if len(places) != len(texts):
            raise ProviderError(f"{provider.label} answered {len(places)} vectors for {len(texts)} texts", charged=True)
        if by_place.keys() != set(range(len(texts))):
            raise ProviderError(f"{provider.label} answered vectors of other places than those of the texts", charged=True)
        data = b"".join(self._vector(by_place[at], at) for at in range(len(texts)))
        return Vectors(len(texts), self.dimensions, data, given.input_tokens if given else None)

    async def _ask(self, client: "AsyncOpenAI", texts: list[str]) -> "CreateEmbeddingResponse":
        from openai import omit

        # Asked for by name, base64 reaches us as it came; by default the SDK makes lists of floats of it.
        return await client.embeddings.create(
            model=self._model,
            input=texts,
            # Servers of one's own have vectors of one length, and some refuse to be asked for it.
            dimensions=omit if self._connection.provider.open else self.dimensions,
            encoding_format="base64",
        )

    def _vector(self, encoded: object, at: int) -> bytes:
        """The vector at a place, counted from 0, as bytes."""
        which = f"{self._connection.provider.label} answered a vector (number {at + 1})"
        try:
            vector = _packed(encoded) if isinstance(encoded, list) else base64.b64decode(cast("Any", encoded), validate=True)
        except (binascii.Error, ValueError, TypeError, OverflowError, struct.error) as exc:
            raise ProviderError(f"{which} that is neither base64 nor numbers", charged=True) from exc
        if len(vector) != self.dimensions * FLOAT_BYTES:
            raise ProviderError(f"{which} that is not {self.dimensions} long but {len(vector) // FLOAT_BYTES}", charged=True)
        # One value that is none makes the sum none: in C, where a loop over 256 × 1,536 values would take a while.
        if not math.isfinite(sum(memoryview(vector).cast("f"))):
            raise ProviderError(f"{which} with values that are no numbers, or infinite", charged=True)
        return _normalised(vector, which) if self._connection.provider.open else vector


def _packed(values: list[Any]) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def _normalised(vector: bytes, which: str) -> bytes:
    import numpy as np

    values = np.frombuffer(vector, dtype="<f4").astype("f8")
    length = float(np.linalg.norm(values))
    if length == 0:
        raise ProviderError(f"{which} without a direction", charged=True)
    return (values / length).astype("<f4").tobytes()
