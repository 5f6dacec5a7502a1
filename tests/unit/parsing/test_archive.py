"""Zip containers that mean harm."""

import stat
import struct
import zipfile
from io import BytesIO

import pytest

from atrium.documents.parsing.archive import Archive
from atrium.kernel.errors import IngestionFailed
from tests.unit.parsing.samples import package

_MIB = 1024 * 1024


def _link() -> bytes:
    target = BytesIO()
    entry = zipfile.ZipInfo("word/link.xml")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    return target.getvalue()


def _bzip2() -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr(zipfile.ZipInfo("a.xml"), "a", zipfile.ZIP_BZIP2)
    return target.getvalue()


def _twice() -> bytes:
    return package({"word/document.xml": "a", "word/DOCUMENT.xml": "b"})


def _encrypted() -> bytes:
    data = bytearray(package({"a.xml": "a"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.index(signature) + offset
        data[place : place + 2] = struct.pack("<H", 1)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (package({f"{number}.xml": "" for number in range(1_001)}), "unsafe-archive"),
        (package({"a.xml": bytes(101 * _MIB)}), "unsafe-archive"),
        (package({"a.xml": bytes(5 * _MIB)}), "unsafe-archive"),
        (package({"../a.xml": "a"}), "unsafe-archive"),
        (package({"word/../../a.xml": "a"}), "unsafe-archive"),
        (package({"..\\a.xml": "a"}), "unsafe-archive"),
        (package({"/etc/a.xml": "a"}), "unsafe-archive"),
        (package({"C:/a.xml": "a"}), "unsafe-archive"),
        (package({"word/vbaProject.bin": "a"}), "unsafe-archive"),
        (_link(), "unsafe-archive"),
        (_bzip2(), "unsafe-archive"),
        (_twice(), "unsafe-archive"),
        (_encrypted(), "encrypted"),
        (package({"a.xml": "abc"})[:40], "corrupt"),
        (b"PK\x03\x04 and no more", "corrupt"),
    ],
)
def test_an_unsafe_or_broken_container_is_refused(data: bytes, kind: str) -> None:
    with pytest.raises(IngestionFailed) as failure:
        Archive(data)
    assert failure.value.kind == kind


def test_a_container_is_read_without_regard_to_case() -> None:
    with Archive(package({"Word/Document.xml": "<a/>"})) as archive:
        assert archive.read("word/document.xml") == b"<a/>"
        assert archive.read("word/styles.xml") is None


def test_an_entry_whose_bytes_are_not_what_they_were_is_corrupt() -> None:
    data = bytearray(package({"a.xml": "some words that are compressed"}))
    data[45] ^= 0xFF
    with Archive(bytes(data)) as archive, pytest.raises(IngestionFailed) as failure:
        archive.read("a.xml")
    assert failure.value.kind == "corrupt"
