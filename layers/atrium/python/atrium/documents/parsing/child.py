"""Parsing as the rest of Atrium sees it: in a process of its own, with limits, so that no file can harm its reader.

The process inherits nothing but what it needs to import: no secrets, no AWS credentials, no settings. It does not
depend on /dev/shm, which Lambda lacks, and no object crosses by pickle.
"""

import asyncio
import ctypes
import json
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from os import pathsep
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from atrium.documents.parsing.failures import FailureKind, failed
from atrium.documents.parsing.limits import MIB, ParserLimits, limits_for
from atrium.documents.parsing.models import ExtractedText, Inspection
from atrium.documents.parsing.ocr import PAGE_LIMITS, RecognisedPage
from atrium.documents.parsing.worker import MEMORY_EXIT, Job, Verb
from atrium.kernel.errors import IngestionFailed, Unavailable

_NOTHING_MORE: Final[Mapping[str, Any]] = MappingProxyType({})
_PR_SET_DUMPABLE = 4  # linux/prctl.h
_WORKER = "atrium.documents.parsing.worker"
# How allocators give up: pdfium traps, C++ aborts, the kernel kills.
_OUT_OF_MEMORY = frozenset({signal.SIGABRT, signal.SIGILL, signal.SIGTRAP, signal.SIGKILL})


async def inspect_file(
    path: str | Path, name: str, declared_type: str = "", *, password: str | None = None, limits: ParserLimits | None = None
) -> Inspection:
    """What the file at `path` is: `name` is what its owner calls it, `declared_type` what the upload said, `limits`
    what it may use, else as much as its size needs.

    Raise `IngestionFailed` with one of `FailureKind` for every file that cannot be read, and nothing else.
    """
    return await _run(Inspection, "inspect", path, name, declared_type, password=password, limits=limits)


async def extract_file(
    path: str | Path,
    name: str,
    declared_type: str = "",
    *,
    password: str | None = None,
    limits: ParserLimits | None = None,
    recognised: Sequence[RecognisedPage] = (),
) -> ExtractedText:
    """The text and structure of the file at `path`; arguments and errors as `inspect_file` has them.

    Its `unread` are the pages for `read_page`, whose results come back as `recognised`.
    """
    pages = "\n".join(page.to_json() for page in recognised)
    return await _run(ExtractedText, "extract", path, name, declared_type, password=password, limits=limits, recognised=pages)


async def read_page(
    path: str | Path,
    name: str,
    declared_type: str,
    page: int,
    *,
    ocr_data: str | Path,
    password: str | None = None,
    limits: ParserLimits = PAGE_LIMITS,
) -> RecognisedPage:
    """What OCR reads on one page (from 1), with the languages in `ocr_data`; errors as `inspect_file` has them.

    About 2 s for a page of text. The limits are of this page alone. `Unavailable` where the languages are not.
    """
    if not await asyncio.to_thread(Path(ocr_data, "languages").is_file):
        raise Unavailable(f"There are no languages for OCR in {ocr_data}.")
    more = {"page": page, "ocr_data": str(ocr_data)}
    return await _run(RecognisedPage, "read-page", path, name, declared_type, password=password, limits=limits, more=more)


async def _run[Result: (Inspection, ExtractedText, RecognisedPage)](
    kind: type[Result],
    verb: Verb,
    path: str | Path,
    name: str,
    declared_type: str,
    *,
    password: str | None,
    limits: ParserLimits | None,
    recognised: str = "",
    more: Mapping[str, Any] = _NOTHING_MORE,
) -> Result:
    with tempfile.TemporaryDirectory(prefix="atrium-parse-") as folder:
        target = Path(folder, "result")
        source = await asyncio.to_thread(Path(path).resolve)
        limits = limits or limits_for((await asyncio.to_thread(source.stat)).st_size)
        pages = Path(folder, "recognised") if recognised else None
        if pages:
            await asyncio.to_thread(pages.write_text, recognised, encoding="utf-8")
        job = Job(verb, str(source), str(target), name, declared_type, password, limits, recognised=str(pages or ""), **more)
        exit_code = await _run_worker(job, folder)
        if exit_code != 0:
            raise _death(exit_code, limits)
        result = await asyncio.to_thread(_result, kind, target)
    if isinstance(result, IngestionFailed):
        raise result
    return result


async def _run_worker(job: Job, folder: str) -> int:
    """Run a job to its end; the process's exit code, negative for a signal. No process is left behind."""
    _hide_environment()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # what lies in the working directory is not imported
        "-m",
        _WORKER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
        env=_environment(),
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(job.limits.wall_seconds):
            await process.communicate(job.to_json().encode())
    except TimeoutError as error:
        raise failed(FailureKind.PARSER_TIMEOUT, f"Reading the file took longer than {job.limits.wall_seconds:g} s.") from error
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
    return process.returncode or 0


@cache
def _hide_environment() -> None:
    """Make this process's environment, which holds Lambda's credentials, unreadable to a parser that a file took over.

    Both run as the same user; Linux hides /proc/<pid>/environ and memory of a process that may not be dumped.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _environment() -> dict[str, str]:
    """All that the process gets: where to import from, and the library path that Lambda's interpreter is linked with."""
    return {
        "PYTHONPATH": pathsep.join(str(Path(entry or ".").resolve()) for entry in sys.path),
        "LD_LIBRARY_PATH": f"{sys.base_prefix}/lib",
        "LC_ALL": "C.UTF-8",
        "OMP_THREAD_LIMIT": "1",  # Tesseract is five times slower with threads, and the process may have none
        "MALLOC_ARENA_MAX": "2",  # an arena reserves 64 MB of the address space that is limited
    }


def _death(exit_code: int, limits: ParserLimits) -> IngestionFailed:
    """What the way in which the process ended says of the file."""
    if -exit_code == signal.SIGXCPU:
        return failed(FailureKind.PARSER_TIMEOUT, f"Reading the file took more than {limits.cpu_seconds} s of computing.")
    if exit_code == MEMORY_EXIT or -exit_code in _OUT_OF_MEMORY:
        return failed(FailureKind.PARSER_MEMORY, f"Reading the file took more than {limits.memory_bytes // MIB} MB of memory.")
    return failed(FailureKind.CORRUPT, "The file is damaged: its parser ended unexpectedly.")


def _result[Result: (Inspection, ExtractedText, RecognisedPage)](kind: type[Result], target: Path) -> Result | IngestionFailed:
    """What the worker wrote: its result, or the failure that it names."""
    try:
        status, _, content = target.read_text(encoding="utf-8").partition("\n")
        return kind.from_json(content) if status == "ok" else _named_failure(json.loads(content))
    except (OSError, ValueError, KeyError, TypeError):
        return failed(FailureKind.CORRUPT, "The file is damaged: its parser gave no usable result.")


def _named_failure(answer: dict[str, str]) -> IngestionFailed:
    failure = failed(FailureKind(answer["kind"]), answer["detail"])
    if answer["cause"]:
        failure.add_note(answer["cause"])
    return failure
