"""Every hostile file ends in its typed failure, or is read, within ten seconds and 512 MB; so does every damaged one."""

import time
from functools import partial
from pathlib import Path

import pytest

from atrium.documents.parsing.child import extract_file
from atrium.documents.parsing.failures import FailureKind
from atrium.documents.parsing.limits import MIB, ParserLimits
from atrium.documents.parsing.models import ExtractedText
from atrium.documents.parsing.registry import ParseOptions
from atrium.documents.parsing.worker import parse
from atrium.kernel.errors import IngestionFailed
from tests.factories.hostile import READ, Hostile, files
from tests.fixtures.make_fixtures import FOLDER
from tests.unit.parsing.samples import outcome

_LIMITS = ParserLimits(wall_seconds=10, cpu_seconds=4, memory_bytes=512 * MIB)
_CUTS = 12


async def _ending(path: Path) -> str:
    try:
        document = await extract_file(path, path.name, limits=_LIMITS)
    except IngestionFailed as failure:
        return failure.kind
    return READ if document.text or document.unread else "nothing"


@pytest.mark.parametrize("hostile", files(), ids=str)
async def test_a_hostile_file_ends_as_it_should(hostile: Hostile, tmp_path: Path) -> None:
    path = tmp_path / hostile.name
    path.write_bytes(hostile.make())
    assert path.stat().st_size < 8 * MIB
    started = time.perf_counter()
    assert await _ending(path) in hostile.endings
    assert time.perf_counter() - started < _LIMITS.wall_seconds + 2


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
def test_a_file_cut_anywhere_is_read_or_says_why(name: str) -> None:
    data = (FOLDER / name).read_bytes()
    for cut in range(1, _CUTS):
        found = outcome(partial(parse, "extract", data[: len(data) * cut // _CUTS], name, "", ParseOptions()))
        assert isinstance(found, ExtractedText | FailureKind)
