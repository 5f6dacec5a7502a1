"""What every `Extractor` does with whole, broken, locked and empty files."""

import time
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atrium.documents.parsing.failures import FailureKind
from atrium.documents.parsing.limits import ParserLimits
from atrium.documents.parsing.models import ExtractedText, Inspection
from atrium.documents.parsing.ocr import RecognisedPage
from atrium.documents.parsing.registry import Extractor, ParseOptions
from atrium.kernel.errors import IngestionFailed

_SECONDS = 10


@dataclass(frozen=True)
class Sample:
    """A file; what its text holds, in order; for pictures what OCR read."""

    data: bytes
    phrases: tuple[str, ...] = ()
    recognised: Mapping[int, RecognisedPage] = field(default_factory=dict)

    def options(self, password: str | None = None, limits: ParserLimits | None = None) -> ParseOptions:
        """What the extractor is given beside the file."""
        return ParseOptions(limits or ParserLimits(), password, self.recognised)


def outcome(extractor: Extractor, sample: Sample, password: str | None = None) -> ExtractedText | str:
    """The text, or the kind of the failure. What else a damaged file makes a parser raise is "corrupt" to its only caller."""
    try:
        extractor.inspect(sample.data, sample.options(password))
        return extractor.extract(sample.data, sample.options(password))
    except IngestionFailed as failure:
        return FailureKind(failure.kind).value
    except Exception:  # noqa: BLE001 - as in parsing.worker
        return FailureKind.CORRUPT.value


class ExtractorSuite:
    """Give `content_type`, `make` and files: at least one in `samples` and one in `empty`; the others where there are such."""

    content_type: ClassVar[str]

    def make(self) -> Extractor:
        """The extractor under test."""
        raise NotImplementedError

    def samples(self) -> Sequence[Sample]:
        """Whole files."""
        raise NotImplementedError

    def empty(self) -> Sequence[Sample]:
        """Files without a visible character."""
        raise NotImplementedError

    def broken(self) -> Sequence[bytes]:
        """Files of which nothing can be read."""
        return ()

    def locked(self) -> Sequence[tuple[Sample, str]]:
        """Files that need a password, and the password."""
        return ()

    def test_inspection_and_extraction_agree(self) -> None:
        for sample in self.samples():
            inspected = self.make().inspect(sample.data, sample.options())
            extracted = self.make().extract(sample.data, sample.options())
            assert inspected.content_type == extracted.content_type == self.content_type
            assert inspected.pages == (len(extracted.pages) or None)
            assert not inspected.encrypted

    def test_the_text_holds_what_the_file_says_in_order(self) -> None:
        for sample in self.samples():
            text, place = self.make().extract(sample.data, sample.options()).text, 0
            assert sample.phrases
            for phrase in sample.phrases:
                place = text.index(phrase, place) + len(phrase)

    def test_blocks_and_pages_are_of_visible_text_in_normal_form(self) -> None:
        for sample in self.samples():
            check(self.make().extract(sample.data, sample.options()))

    def test_both_results_survive_json(self) -> None:
        for sample in self.samples():
            inspected = self.make().inspect(sample.data, sample.options())
            extracted = self.make().extract(sample.data, sample.options())
            assert Inspection.from_json(inspected.to_json()) == inspected
            assert ExtractedText.from_json(extracted.to_json()) == extracted

    def test_the_same_comes_of_the_same_file(self) -> None:
        for sample in self.samples():
            one = self.make()
            assert one.extract(sample.data, sample.options()) == one.extract(sample.data, sample.options())
            assert one.extract(sample.data, sample.options()) == self.make().extract(sample.data, sample.options())

    def test_no_text_is_a_failure_of_its_own(self) -> None:
        assert self.empty()
        for sample in self.empty():
            assert outcome(self.make(), sample) == FailureKind.EMPTY_TEXT

    def test_too_much_text_is_refused(self) -> None:
        for sample in self.samples():
            with pytest.raises(IngestionFailed) as failure:
                self.make().extract(sample.data, sample.options(limits=ParserLimits(max_text_chars=1)))
            assert failure.value.kind == FailureKind.TOO_LARGE

    def test_what_cannot_be_read_is_a_failure(self) -> None:
        for data in self.broken():
            assert outcome(self.make(), Sample(data)) in {FailureKind.CORRUPT, FailureKind.UNSAFE_ARCHIVE}

    def test_a_locked_file_opens_with_its_password_only(self) -> None:
        for sample, password in self.locked():
            assert outcome(self.make(), sample) == FailureKind.ENCRYPTED
            assert outcome(self.make(), sample, password + "x") == FailureKind.ENCRYPTED
            opened = outcome(self.make(), sample, password)
            assert isinstance(opened, ExtractedText)
            assert all(phrase in opened.text for phrase in sample.phrases)

    @settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors])
    @given(st.data())
    def test_a_damaged_file_ends_in_text_or_a_failure_soon(self, data: st.DataObject) -> None:
        sample = data.draw(st.sampled_from(list(self.samples())))
        damaged = bytearray(sample.data[: data.draw(st.integers(0, len(sample.data)))])
        for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=8)) if damaged else []:
            damaged[place] = data.draw(st.integers(0, 255))
        started = time.process_time()
        found = outcome(self.make(), Sample(bytes(damaged), recognised=sample.recognised))
        assert time.process_time() - started < _SECONDS
        if isinstance(found, ExtractedText):
            check(found)


def check(document: ExtractedText) -> None:
    """Blocks hold all visible text, each trimmed and on its page; pages count from 1; the text is in NFC."""
    assert document.blocks
    assert unicodedata.is_normalized("NFC", document.text)
    assert [page.number for page in document.pages] == list(range(1, len(document.pages) + 1))
    outside, cursor = "", 0
    for block in document.blocks:
        text = document.text[block.start : block.end]
        assert text
        assert text == text.strip()
        outside += document.text[cursor : block.start]
        cursor = block.end
        if document.pages:
            page = document.pages[(block.page or 0) - 1]
            assert page.start <= block.start
            assert block.end <= page.end
    assert not (outside + document.text[cursor:]).strip()
