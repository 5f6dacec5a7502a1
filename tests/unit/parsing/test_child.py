"""The parser's process: what it may use, what it inherits, and how its end is told."""

import asyncio
import os
import signal
import sys
import zlib
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.documents.parsing import child
from atrium.documents.parsing.child import extract_file, inspect_file
from atrium.documents.parsing.failures import FailureKind
from atrium.documents.parsing.limits import MIB, ParserLimits, limits_for
from atrium.documents.parsing.models import ExtractedText
from atrium.documents.parsing.registry import ParseOptions
from atrium.documents.parsing.worker import MEMORY_EXIT, Job, parse
from atrium.kernel.errors import IngestionFailed
from tests.fixtures.make_fixtures import FOLDER
from tests.unit.parsing.samples import outcome, pdf

_LIMITS = ParserLimits(wall_seconds=30, cpu_seconds=20)
# An element with so many attributes takes the parser time that grows with their square.
_SLOW_PAGE = b"<p " + b" ".join(b"a%d" % number for number in range(150_000)) + b">slow</p>"


async def _kind_of(path: Path, name: str = "", declared: str = "", limits: ParserLimits = _LIMITS) -> str:
    with pytest.raises(IngestionFailed) as failure:
        await extract_file(path, name or path.name, declared, limits=limits)
    assert failure.value.detail.endswith(".")
    return failure.value.kind


def _file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _pdf_bomb() -> bytes:
    """A page whose content unpacks to 400 MB."""
    packer = zlib.compressobj(9)
    content = b"".join(packer.compress(bytes(MIB)) for _ in range(400)) + packer.flush()
    catalog = b"1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
    page = b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>endobj "
    stream = b"4 0 obj<</Filter/FlateDecode/Length %d>>stream\n%b\nendstream endobj " % (len(content), content)
    return b"%PDF-1.4\n" + catalog + page + stream + b"trailer<</Root 1 0 R>>"


def _workers() -> list[str]:
    """The command lines of parsers that this process has started and that still run."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    commands = [Path(f"/proc/{number}/cmdline").read_text(encoding="utf-8") for number in children]
    return [command for command in commands if "documents.parsing.worker" in command]


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
async def test_every_example_document_is_inspected_and_read(name: str) -> None:
    inspection = await inspect_file(FOLDER / name, name, limits=_LIMITS)
    document = await extract_file(FOLDER / name, name, limits=_LIMITS)
    assert document.content_type == inspection.content_type
    assert document.blocks
    assert len(document.pages) == (inspection.pages or 0)


async def test_a_relative_path_is_that_of_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _file(tmp_path, "a.txt", b"words")
    monkeypatch.chdir(tmp_path)
    assert (await extract_file("a.txt", "a.txt")).text == "words"


async def test_a_password_reaches_the_parser(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.pdf", pdf("Locked", password="sesame"))
    assert await _kind_of(path) == "encrypted"
    assert (await extract_file(path, "a.pdf", password="sesame")).text == "Locked"


@pytest.mark.parametrize(
    ("data", "name", "declared", "kind"),
    [
        (b"", "a.txt", "", "empty-text"),
        (b"words", "a.pdf", "", "type-mismatch"),
        (b"words", "a.png", "", "type-mismatch"),
        (b"%PDF-1.4 broken", "a.pdf", "application/pdf", "corrupt"),
        (b"PK\x03\x04 broken", "a.docx", "", "corrupt"),
    ],
)
async def test_the_child_names_its_failures(tmp_path: Path, data: bytes, name: str, declared: str, kind: str) -> None:
    assert await _kind_of(_file(tmp_path, "upload", data), name, declared) == kind


async def test_a_file_over_the_limit_is_too_large(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.txt", b"words and words")
    assert await _kind_of(path, limits=ParserLimits(max_file_bytes=10)) == "too-large"


async def test_a_parser_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.html", _SLOW_PAGE)
    assert await _kind_of(path, limits=ParserLimits(wall_seconds=0.5)) == "parser-timeout"


async def test_a_parser_that_computes_too_long_is_stopped(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.html", _SLOW_PAGE)
    assert await _kind_of(path, limits=ParserLimits(wall_seconds=30, cpu_seconds=1)) == "parser-timeout"


async def test_a_parser_that_takes_too_much_memory_is_stopped(tmp_path: Path) -> None:
    small = ParserLimits(memory_bytes=160 * MIB)
    assert await _kind_of(_file(tmp_path, "a.txt", b"word " * 12 * MIB), limits=small) == "parser-memory"
    assert await _kind_of(_file(tmp_path, "a.pdf", _pdf_bomb())) == "parser-memory"


async def test_a_cancelled_caller_leaves_no_process_behind(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.html", _SLOW_PAGE)
    task = asyncio.create_task(extract_file(path, "a.html"))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await asyncio.to_thread(_workers)


def test_the_child_inherits_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    environment = child._environment()
    assert set(environment) == {"PYTHONPATH", "LD_LIBRARY_PATH", "LC_ALL", "MALLOC_ARENA_MAX", "OMP_THREAD_LIMIT"}
    assert "secret" not in environment.values()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
async def test_the_parents_environment_is_hidden_from_the_parser(tmp_path: Path) -> None:
    code = (
        "import asyncio, ctypes, pathlib, sys; from atrium.documents.parsing import child;"
        "asyncio.run(child.inspect_file(pathlib.Path(sys.argv[1]), 'a.txt'));"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE
    )
    path = _file(tmp_path, "a.txt", b"Some words.")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(path), stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert printed.split() == [b"0"]


@pytest.mark.parametrize(
    ("exit_code", "kind"),
    [
        (-signal.SIGXCPU, "parser-timeout"),
        (-signal.SIGKILL, "parser-memory"),
        (-signal.SIGABRT, "parser-memory"),
        (-signal.SIGTRAP, "parser-memory"),
        (MEMORY_EXIT, "parser-memory"),
        (-signal.SIGSEGV, "corrupt"),
        (1, "corrupt"),
    ],
)
def test_the_way_a_process_ends_says_what_is_wrong(exit_code: int, kind: str) -> None:
    assert child._death(exit_code, _LIMITS).kind == kind


@pytest.mark.parametrize(
    "written", [None, b"", b"ok\n{}", b"ok\n\xff", b"what\n", b"failed\n{}", b"failed\n[]", b'failed\n{"kind": "x"}']
)
def test_a_result_that_no_worker_writes_is_corrupt(tmp_path: Path, written: bytes | None) -> None:
    target = tmp_path / "result"
    if written is not None:
        target.write_bytes(written)
    result = child._result(ExtractedText, target)
    assert isinstance(result, IngestionFailed)
    assert result.kind == "corrupt"


def test_a_job_is_the_same_after_its_journey() -> None:
    job = Job("extract", "/a", "/b", "n", "text/plain", "pässword", ParserLimits(wall_seconds=1.5))
    assert Job.from_json(job.to_json()) == job


@given(st.sampled_from([b"%PDF-1.4\n", b"PK\x03\x04", b"<html>", b""]), st.binary(max_size=400))
def test_any_bytes_are_text_or_a_named_failure(head: bytes, rest: bytes) -> None:
    for name in ("a.pdf", "a.docx", "a.html", "a.txt", "a.md"):
        found = outcome(partial(parse, "extract", head + rest, name, "", ParseOptions()))
        assert isinstance(found, ExtractedText | FailureKind)


@pytest.mark.parametrize(("size", "seconds"), [(0, 10), (MIB, 10), (MIB + 1, 12), (10 * MIB, 28), (100 * MIB, 60)])
def test_a_small_file_may_not_take_long(size: int, seconds: int) -> None:
    assert limits_for(size) == ParserLimits(cpu_seconds=seconds, wall_seconds=seconds * 1.5)
