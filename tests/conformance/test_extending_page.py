"""The Python in docs/extending.md runs: each part passes the suite that it inherits."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run(*command: str) -> str:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "layers" / "atrium" / "python")])
    environment = os.environ | {"PYTHONPATH": paths}
    ended = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_the_examples_pass_their_suites(tmp_path: Path) -> None:
    names = [str(tmp_path / f"test_example_{number}.py") for number in range(len(SNIPPETS))]
    for name, snippet in zip(names, SNIPPETS, strict=True):
        Path(name).write_text(snippet, encoding="utf-8")
    told = run("pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", "-c", str(ROOT / "pyproject.toml"), *names)
    passed = re.search(r"(\d+) passed", told)
    assert passed
    assert int(passed[1]) > 35


def test_the_table_names_what_exists() -> None:
    for module, name in re.findall(r"`(\w+)\.(\w+Suite)`", PAGE):
        assert f"class {name}" in (ROOT / "tests/conformance/suites" / f"{module}.py").read_text(encoding="utf-8")
    for path in re.findall(r"`(?:atrium\.)([\w.]+)\.[A-Z]\w+`", PAGE):
        place = ROOT / "layers/atrium/python/atrium" / path.replace(".", "/")
        assert place.with_suffix(".py").is_file() or place.is_dir()
