"""The parser's own process: `python -m atrium.documents.parsing.worker`, started by `child` and by nothing else.

A job comes as JSON on stdin; the result goes to a file, a word and a line end before it: "ok" and the JSON of an
`Inspection`, `ExtractedText` or `RecognisedPage`, or "failed" and {"kind", "detail", "cause"}. The process limits itself
before it reads a byte of the document, and imports a parser only then.
"""

import gc
import json
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from atrium.documents.parsing.failures import FailureKind, failed
from atrium.documents.parsing.limits import MIB, ParserLimits
from atrium.documents.parsing.models import ExtractedText, Inspection
from atrium.documents.parsing.ocr import RecognisedPage
from atrium.documents.parsing.registry import ParseOptions, extractor_for, page_source_for
from atrium.documents.parsing.sniff import sniff
from atrium.kernel.errors import IngestionFailed

Verb = Literal["inspect", "extract", "read-page"]
MEMORY_EXIT = 42
_MAX_OPEN_FILES = 64
_MAX_WRITTEN = 1024 * MIB
_CPU_GRACE = 2


@dataclass(frozen=True, slots=True)
class Job:
    """What `child` asks for. `password` travels on stdin, as arguments are visible to the whole machine.

    `page` (from 1) is to be read with the languages in `ocr_data`; `recognised` is a file of such pages, one in each line.
    """

    verb: Verb
    source: str
    target: str
    name: str
    declared_type: str
    password: str | None
    limits: ParserLimits
    page: int = 0
    ocr_data: str = ""
    recognised: str = ""

    def to_json(self) -> str:
        """The inverse of `from_json`."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(fields | {"limits": self.limits.to_dict()})

    @classmethod
    def from_json(cls, data: str) -> Self:
        """The job that `to_json` wrote."""
        fields = json.loads(data)
        return cls(**fields | {"limits": ParserLimits.from_dict(fields["limits"])})


def parse(verb: Verb, data: bytes, name: str, declared_type: str, options: ParseOptions) -> Inspection | ExtractedText:
    """Sniff and parse in this process. Raise `IngestionFailed` or `MemoryError`, nothing else."""
    with _damage_named():
        extractor = extractor_for(sniff(data, name, declared_type))
        return extractor.inspect(data, options) if verb == "inspect" else extractor.extract(data, options)


def read_page(data: bytes, name: str, declared_type: str, page: int, ocr_data: Path, options: ParseOptions) -> RecognisedPage:
    """Let OCR read one page (from 1) in this process. Raise as `parse` does."""
    with _damage_named():
        source = page_source_for(sniff(data, name, declared_type))
        bitmap = source.page_bitmap(data, page, options)
        # Another engine of this process goes here. One that is a service reads the bitmap where credentials are: in the step.
        from atrium.documents.parsing.ocr_reading import recognise
        from atrium.documents.parsing.ocr_tesseract import TesseractEngine

        return recognise(TesseractEngine(ocr_data), page, bitmap)


@contextmanager
def _damage_named() -> Iterator[None]:
    try:
        yield
    except (IngestionFailed, MemoryError):
        raise
    except Exception as error:  # a damaged file makes a parser raise whatever its damage meets
        raise failed(FailureKind.CORRUPT, "The file is damaged: its content could not be read.") from error


def main() -> int:
    """Run the job on stdin; the exit code."""
    job = Job.from_json(sys.stdin.read())
    _limit_process(job.limits)
    gc.disable()  # the process ends with its job; a collector that looks through every line and block takes a twentieth of it
    target = Path(job.target)
    try:
        target.write_text(_result(job), encoding="utf-8")
    except MemoryError:
        target.unlink(missing_ok=True)
        return MEMORY_EXIT
    return 0


def _result(job: Job) -> str:
    try:
        data = _read(Path(job.source), job.limits.max_file_bytes)
        return "ok\n" + _done(job, data).to_json()
    except IngestionFailed as error:
        cause = "" if error.__cause__ is None else repr(error.__cause__)[:500]
        return "failed\n" + json.dumps({"kind": error.kind, "detail": error.detail, "cause": cause})


def _done(job: Job, data: bytes) -> Inspection | ExtractedText | RecognisedPage:
    options = ParseOptions(job.limits, job.password, _recognised(job.recognised))
    if job.verb == "read-page":
        return read_page(data, job.name, job.declared_type, job.page, Path(job.ocr_data), options)
    return parse(job.verb, data, job.name, job.declared_type, options)


def _recognised(path: str) -> dict[int, RecognisedPage]:
    if not path:
        return {}
    pages = (RecognisedPage.from_json(line) for line in Path(path).read_text(encoding="utf-8").split("\n"))
    return {page.number: page for page in pages}


def _read(source: Path, limit: int) -> bytes:
    with source.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise failed(FailureKind.TOO_LARGE, f"The file is larger than {limit // MIB} MB.")
    if not data:
        raise failed(FailureKind.EMPTY_TEXT, "The file is empty.")
    return data


def _limit_process(limits: ParserLimits) -> None:
    _lower(resource.RLIMIT_AS, limits.memory_bytes, limits.memory_bytes)
    # The soft limit ends the process by SIGXCPU, by which the parent knows it.
    _lower(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + _CPU_GRACE)
    _lower(resource.RLIMIT_FSIZE, _MAX_WRITTEN, _MAX_WRITTEN)
    _lower(resource.RLIMIT_NOFILE, _MAX_OPEN_FILES, _MAX_OPEN_FILES)
    _lower(resource.RLIMIT_CORE, 0, 0)
    _lower(resource.RLIMIT_NPROC, 0, 0)  # no further process or thread; root is exempt


def _lower(what: int, soft: int, hard: int) -> None:
    """Set a limit, or keep a stricter one that the process was born with."""
    _, present = resource.getrlimit(what)
    if present != resource.RLIM_INFINITY:
        soft, hard = min(soft, present), min(hard, present)
    resource.setrlimit(what, (soft, hard))


if __name__ == "__main__":
    sys.exit(main())
