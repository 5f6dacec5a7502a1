"""The embedding model that packaging builds, against the original weights."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from atrium.kernel.errors import ProviderError
from atrium.providers.local_embedder import TOKENS_PER_RUN, LocalEmbedder, runs
from infra.packaging.places import ROOT, uv
from tests.fakes.vectors import cosine, rows

SENTENCES = [
    "How do I reset my password?",
    "The committee approved the annual budget of $4.2 million on 12 March 2024.",
    "Section 3.1: warranty terms and limitations of liability apply to all products sold.",
    "Photosynthesis converts light energy into chemical energy in plants, algae and some bacteria.",
    "Experimental investigation of the aerodynamics of a wing in a slipstream.",
    "Please contact support if the invoice #10023 remains unpaid after 30 days; late fees of 1.5% apply.",
    "The Panthers defense gave up just 308 points, ranking sixth in the league, while also leading the NFL in interceptions.",
    "def total(prices): return sum(prices)",
    "München, Zürich and São Paulo are cities.",
    "The pump must be primed before the first start. Open the vent, fill the casing and close the vent again. " * 8,
]
# A mean over one or two words has little to average quantisation noise away.
WORDS = ["yes", "warranty", "refund policy"]


def in_model_environment(*arguments: str, stdin: str = "") -> str:
    """Run a module where the original weights are installed."""
    command = [
        uv(),
        "run",
        "--quiet",
        "--frozen",
        "--isolated",
        "--only-group",
        "model",
        "--python",
        sys.executable,
        "python",
        "-m",
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, *arguments], cwd=ROOT, env=environment, input=stdin, capture_output=True, text=True, check=True
    )
    return done.stdout


async def test_vectors_agree_with_the_original_weights(model_dir: Path) -> None:
    embedder = LocalEmbedder(model_dir)
    texts = [*SENTENCES, *WORDS]
    ids = embedder.tokenizer.ids(texts, embedder.max_tokens)
    reference = json.loads(in_model_environment("tests.unit.providers.reference_encoder", stdin=json.dumps(ids)))
    vectors = rows(await embedder.embed(texts, "document"))
    likeness = [cosine(ours, theirs) for ours, theirs in zip(vectors, reference, strict=True)]
    assert min(likeness[: len(SENTENCES)]) >= 0.99
    assert min(likeness) >= 0.97


def test_the_same_inputs_build_the_same_bytes(model_dir: Path, tmp_path: Path) -> None:
    in_model_environment("infra.packaging.model", str(tmp_path))
    names = ["LICENSE", "NOTICE", "model.onnx", "tokenizer.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for name in names:
        assert digest(tmp_path / name) == digest(model_dir / name)
    assert (tmp_path / "model.onnx").stat().st_size < 24_000_000


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def test_a_vector_does_not_depend_on_its_neighbours(model_dir: Path) -> None:
    embedder = LocalEmbedder(model_dir)
    together = rows(await embedder.embed(SENTENCES, "document"))
    alone = [rows(await embedder.embed([sentence], "document"))[0] for sentence in SENTENCES]
    assert min(cosine(one, other) for one, other in zip(together, alone, strict=True)) > 0.99999


async def test_what_is_over_the_window_is_cut_off(model_dir: Path) -> None:
    embedder = LocalEmbedder(model_dir)
    words = ["pump"] * 254
    full, longer = rows(await embedder.embed([" ".join(words), " ".join([*words, "banana", "moon"])], "document"))
    assert cosine(full, longer) > 0.99999


async def test_a_missing_model_is_named_and_shows_no_path(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=r"tokenizer\.json") as caught:
        await LocalEmbedder(tmp_path).embed(["x"], "query")
    assert str(tmp_path) not in caught.value.detail


def test_runs_hold_texts_of_like_length() -> None:
    lengths = [3, 256, 4, 250, 256, 5] + [100] * 7
    groups = list(runs(lengths))
    assert sorted(position for group in groups for position in group) == list(range(len(lengths)))
    assert all(len(group) == 1 or max(lengths[at] for at in group) * len(group) <= TOKENS_PER_RUN for group in groups)
    assert lengths[groups[0][0]] == 256
    assert list(runs([])) == []


def test_a_text_longer_than_a_run_is_a_run_of_its_own() -> None:
    assert list(runs([TOKENS_PER_RUN * 2, 1])) == [[0], [1]]
