"""all-MiniLM-L6-v2 on this machine's processors: no key, no network. Built by infra/packaging/model.py."""

import asyncio
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from atrium.kernel.errors import ProviderError
from atrium.providers.base import Vectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

# Texts of like length run together up to this many tokens, padding included: a run's fixed cost is then small,
# and a longer one is no faster (measured 1 to 16 texts of 256 tokens).
TOKENS_PER_RUN = 512


class LocalTokenizer:
    """Counts as the local model counts. Safe to share between threads."""

    def __init__(self, model_dir: Path) -> None:
        self._path = model_dir / "tokenizer.json"
        self._loading = threading.Lock()
        self._loaded: Tokenizer | None = None

    @property
    def special_tokens(self) -> int:
        """[CLS] and [SEP]."""
        return 2

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Character span of every token of `text`; a word of over 100 characters is one token to this model."""
        spans: list[tuple[int, int]] = self._tokenizer().encode(text, add_special_tokens=False).offsets
        return spans

    def ids(self, texts: Sequence[str], limit: int) -> list[list[int]]:
        """Token ids of every text, special tokens included; what is over `limit` tokens is cut off."""
        encoded = self._tokenizer().encode_batch_fast(list(texts))
        return [[*each.ids[: limit - 1], each.ids[-1]] if len(each.ids) > limit else each.ids for each in encoded]

    def _tokenizer(self) -> "Tokenizer":
        with self._loading:
            if self._loaded is None:
                from tokenizers import Tokenizer

                self._loaded = Tokenizer.from_file(str(_present(self._path)))
            return self._loaded


class LocalEmbedder:
    """The local model behind `Embedder`. Make one per process (the registry does): it holds 23 MB of weights.

    Each run has one thread and as many runs go on as there are processors, which beats runs of several threads
    as soon as anything else wants a processor too. Vectors do not depend on what is embedded beside them.
    256 tokens are what the model was trained on.
    """

    def __init__(self, model_dir: Path, dimensions: int = 384, max_tokens: int = 256) -> None:
        self._model = model_dir / "model.onnx"
        self.dimensions: Final = dimensions
        self.max_tokens: Final = max_tokens
        # The model's own WordPiece tokenizer.
        self.tokenizer: Final = LocalTokenizer(model_dir)
        self._loading = threading.Lock()
        self._session: InferenceSession | None = None

    async def embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Vectors:  # noqa: ARG002 - one model for both
        """One L2-normalised vector per text, in order; about 1 ms for a question. Raises `ProviderError`."""
        if not texts:
            return Vectors(0, self.dimensions, b"", 0)
        return await asyncio.to_thread(self._embed, texts)

    def _embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        ids = self.tokenizer.ids(texts, self.max_tokens)
        vectors = np.empty((len(texts), self.dimensions), dtype="<f4")

        def run(batch: list[int]) -> None:
            vectors[batch] = self._run([ids[position] for position in batch])

        batches = list(runs([len(each) for each in ids]))
        if len(batches) == 1:
            run(batches[0])
        else:
            list(self._workers.map(run, batches))
        return Vectors(len(texts), self.dimensions, vectors.tobytes(), sum(map(len, ids)))

    def _run(self, ids: Sequence[Sequence[int]]) -> "NDArray[np.float32]":
        import numpy as np

        tokens = np.zeros((len(ids), max(map(len, ids))), dtype=np.int64)
        mask = np.zeros_like(tokens)
        for row, each in enumerate(ids):
            tokens[row, : len(each)] = each
            mask[row, : len(each)] = 1
        embedding: NDArray[np.float32] = self._loaded().run(["embedding"], {"input_ids": tokens, "attention_mask": mask})[0]
        return embedding

    @cached_property
    def _workers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=os.process_cpu_count() or 1, thread_name_prefix="embed")

    def _loaded(self) -> "InferenceSession":
        with self._loading:
            if self._session is None:
                self._session = _session(_present(self._model))
            return self._session


def runs(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Group positions of texts of like length, longest groups first so that no processor ends with one alone."""
    batch: list[int] = []
    longest = 0
    for position in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if batch and longest * (len(batch) + 1) > TOKENS_PER_RUN:
            yield batch
            batch = []
        longest = longest if batch else lengths[position]
        batch.append(position)
    if batch:
        yield batch


def _session(model: Path) -> "InferenceSession":
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _present(path: Path) -> Path:
    if not path.is_file():
        raise ProviderError(f"The local embedding model is not installed: {path.name} is missing")
    return path
