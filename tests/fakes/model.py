"""The real local embedding model for tests: built once into build/model, as `make build` does, when it is not there."""

import fcntl
from pathlib import Path

import pytest

from infra.packaging.__main__ import build, model_piece
from infra.packaging.places import Places


@pytest.fixture(scope="session")
def model_dir() -> Path:
    """The folder with model.onnx and tokenizer.json. Import it into a conftest.py to use it."""
    places = Places("local")
    places.model.parent.mkdir(parents=True, exist_ok=True)
    # Several test processes, or a build beside them, may want it at once.
    with (places.model.parent / "model.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        build(model_piece(places))
    return places.model
