"""The sentence encoder in plain numpy and fp32, straight from the original weights: what the int8 graph is held against.

Runs in the environment of the dependency group `model`: token ids as JSON on stdin, vectors as JSON on stdout.
"""

import json
import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infra.packaging.model import weights

Array = NDArray[Any]
HEADS = 12
LAYERS = 6
erf = np.vectorize(math.erf, otypes=[np.float32])


def encode(w: dict[str, Array], ids: list[int]) -> list[float]:
    hidden = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][: len(ids)]
    hidden = normed(w, "embeddings.LayerNorm", hidden + w["embeddings.token_type_embeddings.weight"][0])
    for layer in range(LAYERS):
        hidden = block(w, f"encoder.layer.{layer}", hidden)
    mean = hidden.mean(axis=0)
    return [float(value) for value in mean / np.linalg.norm(mean)]


def block(w: dict[str, Array], name: str, hidden: Array) -> Array:
    query, key, value = (heads(dense(w, f"{name}.attention.self.{part}", hidden)) for part in ("query", "key", "value"))
    scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
    attended = np.exp(scores - scores.max(axis=-1, keepdims=True))
    context = (attended / attended.sum(axis=-1, keepdims=True)) @ value
    context = context.transpose(1, 0, 2).reshape(hidden.shape)
    hidden = normed(w, f"{name}.attention.output.LayerNorm", hidden + dense(w, f"{name}.attention.output.dense", context))
    inner = dense(w, f"{name}.intermediate.dense", hidden)
    inner = inner * 0.5 * (1 + erf(inner / math.sqrt(2)))
    return normed(w, f"{name}.output.LayerNorm", hidden + dense(w, f"{name}.output.dense", inner))


def dense(w: dict[str, Array], name: str, hidden: Array) -> Array:
    return hidden @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def heads(tensor: Array) -> Array:
    return tensor.reshape(len(tensor), HEADS, -1).transpose(1, 0, 2)


def normed(w: dict[str, Array], name: str, hidden: Array) -> Array:
    centred = hidden - hidden.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
    return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]


if __name__ == "__main__":
    loaded = weights()
    json.dump([encode(loaded, ids) for ids in json.load(sys.stdin)], sys.stdout)
