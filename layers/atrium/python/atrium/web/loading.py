"""Loads FastAPI without the parts that no request needs; `atrium.web` does so before anything else imports it."""

import sys
from types import ModuleType

from pydantic import BaseModel


def load_fastapi() -> None:
    """Import FastAPI in about a sixth less time; nothing behaves otherwise, whoever imported it first."""
    _stand_in_for_pydantic_v1()
    # FastAPI's own models are those of OpenAPI: a tenth of a cold start, and needed by nobody who asks for data.
    # Pydantic builds a deferred model when it is first used.
    BaseModel.model_config["defer_build"] = True
    try:
        import fastapi  # noqa: F401
    finally:
        del BaseModel.model_config["defer_build"]


def _stand_in_for_pydantic_v1() -> None:
    """Of every annotation of every route FastAPI asks whether it is a model of `pydantic.v1`, and imports that to ask."""
    if "pydantic.v1" not in sys.modules:
        stand_in = ModuleType("pydantic.v1", "Nothing is an instance of this one's BaseModel.")
        vars(stand_in)["BaseModel"] = type("BaseModel", (), {})
        sys.modules["pydantic.v1"] = vars(sys.modules["pydantic"])["v1"] = stand_in
