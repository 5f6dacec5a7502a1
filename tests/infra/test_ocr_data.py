"""The languages of OCR: chosen by a setting, pinned by hash, fetched once."""

from pathlib import Path

import pytest

from infra.packaging import ocr_data
from infra.packaging.__main__ import ocr_piece
from infra.packaging.places import Places


def test_the_data_is_there_and_says_its_languages(ocr_data_dir: Path) -> None:
    assert (ocr_data_dir / "languages").read_text() == "eng\n"
    assert {path.name for path in ocr_data_dir.iterdir()} == {
        "LICENSE", "NOTICE", "eng.traineddata", "languages", "osd.traineddata",
    }  # fmt: skip


@pytest.mark.parametrize(("wanted", "languages"), [("", ["eng"]), ("deu", ["deu"]), ("eng+deu, fra eng", ["eng", "deu", "fra"])])
def test_the_setting_names_languages_in_their_order(monkeypatch: pytest.MonkeyPatch, wanted: str, languages: list[str]) -> None:
    monkeypatch.setenv("OCR_LANGUAGES", wanted)
    assert ocr_data.languages() == languages


@pytest.mark.parametrize("wanted", ["tlh", "osd", "../eng"])
def test_a_language_without_a_pinned_hash_stops_the_build(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv("OCR_LANGUAGES", wanted)
    with pytest.raises(SystemExit, match="deu, eng, fra, spa"):
        ocr_data.languages()


def test_another_choice_is_another_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ocr_piece(Places("local")).key
    assert ocr_piece(Places("lambda-arm64")).key == before
    monkeypatch.setenv("OCR_LANGUAGES", "eng+deu")
    assert ocr_piece(Places("local")).key != before


def test_a_package_that_is_not_the_pinned_one_stops_the_build() -> None:
    with pytest.raises(SystemExit, match="expected sha512-"):
        ocr_data.verified("eng", b"something else")
