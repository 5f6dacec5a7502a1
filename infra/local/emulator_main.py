"""Starts ministack with one correction: a failed Python function keeps its exception's name, as on Lambda.

The emulator reports every failure as `Runtime.HandlerError`; the pipeline's Retry and the reason that a document's owner
sees go by the name. Run as a file by the emulator's own interpreter, so it imports nothing of Atrium.
"""

import re
import runpy
from typing import Any

from ministack.services import lambda_svc  # type: ignore[import-not-found]  # only in the emulator's own environment

_UNNAMED = "Runtime.HandlerError"


def exception_name(message: str, log: str) -> str:
    """The class of the exception that ended `log` with `message`, from the traceback's last lines; `_UNNAMED` without one."""
    ending = rf": {re.escape(message)}" if message else ""
    found = re.search(rf"^(?:\w+\.)*(\w+){ending}\s*\Z", log, re.MULTILINE)
    return found[1] if found else _UNNAMED


def named(outcome: dict[str, Any]) -> dict[str, Any]:
    """An invocation's outcome, its error under the exception's own name."""
    body = outcome.get("body")
    if outcome.get("error") and isinstance(body, dict) and body.get("errorType") == _UNNAMED:
        name = exception_name(str(body.get("errorMessage", "")), str(outcome.get("log", "")))
        return outcome | {"body": body | {"errorType": name}}
    return outcome


def _correct() -> None:
    execute = lambda_svc._execute_function_warm  # noqa: SLF001  the one place that every invocation passes

    def execute_named(func: dict[str, Any], event: object, request_id: str) -> dict[str, Any]:
        return named(execute(func, event, request_id))

    lambda_svc._execute_function_warm = execute_named  # noqa: SLF001  as above


if __name__ == "__main__":
    _correct()
    runpy.run_module("ministack", run_name="__main__")
