"""Bytecode that stays valid in Lambda: unchecked-hash .pyc files.

The CDK's zips carry dates of 1980, so .pyc files checked by date would be stale and recompiled on every cold start
(2 to 6 times slower).
"""

import compileall
import py_compile
import subprocess
import sys
from pathlib import Path

_IN_PROCESS_LIMIT = 200


def compile_tree(tree: Path, mounted_at: str) -> None:
    """Compile every module below `tree`, which Lambda mounts at `mounted_at`. Raises when one of our own does not compile."""
    if sum(1 for _ in tree.rglob("*.py")) > _IN_PROCESS_LIMIT:
        _compile_in_processes(tree, mounted_at)
        return
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    if not compileall.compile_dir(tree, quiet=1, stripdir=str(tree), prependdir=mounted_at, invalidation_mode=mode):
        raise SystemExit(f"{tree} does not compile")


def _compile_in_processes(tree: Path, mounted_at: str) -> None:
    # Third-party trees hold templates and old syntax that never compile and are never imported: no failure.
    command = [sys.executable, "-m", "compileall", "-qq", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([*command, "-s", str(tree), "-p", mounted_at, str(tree)], check=False)  # noqa: S603 - our own interpreter
