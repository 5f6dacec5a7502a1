"""Where things are read from and built to, for which machine, with which uv."""

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PlatformName = Literal["local", "lambda-arm64"]

ROOT = Path(__file__).resolve().parents[2]
PYTHON_VERSION = "3.13"


@dataclass(frozen=True, slots=True)
class Places:
    """One build: sources under `root`, results under `root`/build/`platform`."""

    platform: PlatformName
    root: Path = ROOT

    @property
    def build(self) -> Path:
        """Everything built for this platform."""
        return self.root / "build" / self.platform

    @property
    def model(self) -> Path:
        """The embedding model, the same for every platform."""
        return self.root / "build" / "model"

    @property
    def ocr_data(self) -> Path:
        """What Tesseract knows of its languages, the same for every platform."""
        return self.root / "build" / "ocr"

    def layer(self, name: str) -> Path:
        """What becomes /opt: `python/`; in the embed layer `model/`, in the ocr layer `tessdata/`."""
        return self.build / "layers" / name

    def deployable(self, name: str) -> Path:
        """What the stack deploys as a layer: itself, or on this machine a link to it."""
        return self.build / "links" / name if self.platform == "local" else self.layer(name)

    def function(self, name: str) -> Path:
        """What becomes /var/task."""
        return self.build / "functions" / name

    @property
    def wheels(self) -> str:
        """The machine that wheels are chosen for, in uv's words; empty for the one this runs on."""
        # aarch64-manylinux2014 would silently select an older psycopg.
        return "aarch64-manylinux_2_28" if self.platform == "lambda-arm64" else ""

    @property
    def machine(self) -> str:
        """What the built packages run on, for hashes."""
        return self.wheels or f"{sys.platform}-{platform.machine()}"


def uv() -> str:
    """The uv to use: $UV, the Makefile's own, beside this Python, or on PATH."""
    here = (Path(__file__).parents[2] / ".tools" / "uv" / "bin" / "uv", Path(sys.executable).with_name("uv"))
    found = os.environ.get("UV") or next((str(each) for each in here if each.exists()), None) or shutil.which("uv")
    if not found:
        raise SystemExit("uv was not found: set UV to its path, or run this through the Makefile, which brings its own")
    return found
