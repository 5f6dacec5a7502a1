"""What a cold start imports: each function's handler in a fresh interpreter, with valid bytecode."""

import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from infra.areas import AREAS

ROOT = Path(__file__).parents[2]
MEASURE = "import time; start = time.perf_counter(); import {module}; print((time.perf_counter() - start) * 1000)"
GOALS = {False: 250, True: 300}
RUNS = 7


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a function runs with. Elsewhere bytecode may be forbidden, and then every import compiles our own modules."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path))
    monkeypatch.setenv("PYDANTIC_DISABLE_PLUGINS", "__all__")


def test_import_times() -> None:
    bare = _milliseconds("json")
    streaming = {area.name: area.streaming for area in AREAS}
    print(f"\n{'handler':<12}{'ms':>6}  goal    (import json: {bare:.0f} ms)")
    for handler in sorted((ROOT / "functions").glob("*/handler.py")):
        name = handler.parent.name
        median = _milliseconds(f"functions.{name}.handler")
        goal = GOALS[streaming[name]] if name in streaming else None
        print(f"{name:<12}{median:>6.0f}  {f'{goal}, ratio {median / goal:.2f}' if goal else ''}")
        assert median > 0


def _milliseconds(module: str) -> float:
    """The median of several fresh processes; the first run only writes bytecode."""
    command = [sys.executable, "-c", MEASURE.format(module=module)]
    runs = [subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(RUNS + 1)]
    return statistics.median(float(run.stdout) for run in runs[1:])
