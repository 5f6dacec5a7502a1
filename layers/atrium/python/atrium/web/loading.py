"""Loads FastAPI faster than `import fastapi`; `atrium.web` does so before anything else imports it."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from pydantic import BaseModel


def load_fastapi() -> None:
    """Import FastAPI. Nothing behaves otherwise than after a plain import, and somebody's import before only costs the gain."""
    _stand_in_for_pydantic_v1()
    with _collector_off(), _models_deferred():
        import fastapi  # noqa: F401


def _stand_in_for_pydantic_v1() -> None:
    """Of every annotation of every route FastAPI asks whether it is a model of `pydantic.v1`, and imports that to ask."""
    if "pydantic.v1" not in sys.modules:
        stand_in = ModuleType("pydantic.v1", "Nothing is an instance of this one's BaseModel.")
        vars(stand_in)["BaseModel"] = type("BaseModel", (), {})
        sys.modules["pydantic.v1"] = vars(sys.modules["pydantic"])["v1"] = stand_in


@contextmanager
def _collector_off() -> Iterator[None]:
    """An import makes objects by the ten thousand and no garbage; afterwards the collector need not look at them again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


@contextmanager
def _models_deferred() -> Iterator[None]:
    """FastAPI's own models are those of OpenAPI, which no request for data needs; deferred ones are built when first used."""
    BaseModel.model_config["defer_build"] = True
    try:
        yield
    finally:
        del BaseModel.model_config["defer_build"]
