"""How fast documents are cut, in each mode, with the local model's tokenizer and without any tokenizer's time.

The second column counts with a tokenizer whose answers are known beforehand: what remains is the cutting itself.
"""

import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from atrium.documents.chunking import Chunk, ChunkingOptions, ChunkMode, chunker
from atrium.documents.parsing.models import Block, BlockKind, ExtractedText
from atrium.providers.base import TokenCounter
from atrium.providers.local_embedder import LocalTokenizer

MEGABYTES = 10


class Remembering:
    """A tokenizer that has seen everything: asked again, it answers at once."""

    def __init__(self, tokenizer: TokenCounter) -> None:
        self._tokenizer = tokenizer
        self._seen: dict[str, Sequence[tuple[int, int]]] = {}
        self.special_tokens = tokenizer.special_tokens

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        if text not in self._seen:
            self._seen[text] = self._tokenizer.offsets(text)
        return self._seen[text]


def handbook(size: int) -> ExtractedText:
    """Sections of paragraphs, lists and tables, in the mix of a handbook."""
    chance = random.Random(5)
    words = [
        "pressure",
        "the",
        "of",
        "valve",
        "and",
        "maintenance",
        "pump",
        "is",
        "checked",
        "every",
        "month",
        "by",
        "a",
        "person",
    ]
    parts: list[str] = []
    blocks: list[Block] = []
    length = 0
    while length < size:
        kind, text, level = _block(chance, words)
        parts.append(text)
        blocks.append(Block(kind, length, length + len(text), level))
        length += len(text) + 2
    return ExtractedText("\n\n".join(parts), tuple(blocks), title="Handbook")


def _block(chance: random.Random, words: list[str]) -> tuple[BlockKind, str, int | None]:
    def sentence() -> str:
        return " ".join(chance.choices(words, k=chance.randint(5, 20))).capitalize() + "."

    draw = chance.random()
    if draw < 0.12:
        return BlockKind.HEADING, " ".join(chance.choices(words, k=4)), chance.randint(1, 3)
    if draw < 0.3:
        return BlockKind.LIST_ITEM, "- " + sentence(), 0
    if draw < 0.35:
        return BlockKind.TABLE, "\n".join(" | ".join(chance.choices(words, k=4)) for _ in range(chance.randint(3, 60))), None
    return BlockKind.PARAGRAPH, " ".join(sentence() for _ in range(chance.randint(1, 14))), None


def timed(document: ExtractedText, options: ChunkingOptions, tokenizer: TokenCounter) -> tuple[float, tuple[Chunk, ...]]:
    started = time.perf_counter()
    chunks = chunker(options).chunk(document, tokenizer, window=256)
    return time.perf_counter() - started, chunks


@pytest.mark.parametrize("mode", ChunkMode)
@pytest.mark.parametrize("overlap", [0, 32])
def test_speed(mode: ChunkMode, overlap: int, model_dir: Path) -> None:
    document = handbook(MEGABYTES * 1_000_000)
    size = len(document.text.encode()) / 1e6
    options, tokenizer = ChunkingOptions(mode, overlap_tokens=overlap), Remembering(LocalTokenizer(model_dir))
    with_tokenizer, chunks = timed(document, options, tokenizer)
    alone, again = timed(document, options, tokenizer)
    print(f"\n{mode:<10} overlap {overlap:<3} {size:.1f} MB {len(chunks):>7,} chunks: ", end="")
    print(f"{size / with_tokenizer:5.1f} MB/s with the tokenizer, {size / alone:5.1f} MB/s without its time", end="")
    assert chunks == again


def test_a_text_ten_times_as_long_takes_ten_times_as_long() -> None:
    from tests.fakes.tokenizers import Words

    tokenizer = Words()
    for name, piece in (
        ("prose", "Words of a sentence. "),
        ("one word", "x"),
        ("CJK", "漢字"),
        ("dots", "."),
        ("marks", "\u0301"),
    ):
        short, long = (
            timed(ExtractedText(piece * (size // len(piece))), ChunkingOptions(), tokenizer)[0] for size in (10**5, 10**6)
        )
        print(f"\n{name:<10} {long / short:5.1f} × the time for 10 × the text", end="")
        assert long
