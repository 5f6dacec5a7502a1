"""Zip containers, opened with distrust: how many entries, how large, how tight, and what their names are up to."""

import stat
import struct
import zipfile
import zlib
from io import BytesIO
from typing import Self

from atrium.documents.parsing.failures import FailureKind, failed
from atrium.documents.parsing.limits import MIB
from atrium.kernel.errors import IngestionFailed

_MAX_ENTRIES = 1_000
_MAX_BYTES = 100 * MIB
_MAX_RATIO = 100
_RATIO_FREE_BYTES = MIB  # a small entry may be all zeros without harm
_ENCRYPTED_FLAG = 0x1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_LENGTHS = struct.Struct("<HH")  # of an entry's name and extra field, in its local header
_LENGTHS_AT = 26
_MACRO_PARTS = ("vbaproject.bin", "vbadata.xml")


class Archive:
    """A zip file that passed every check. Raise `unsafe-archive`, `encrypted` or `corrupt` on opening."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError) as error:
            raise failed(FailureKind.CORRUPT, "The file's zip container is damaged or incomplete.") from error
        self._data = data
        self._entries = _checked(self._zip.infolist(), len(data))

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._entries

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def read(self, name: str) -> bytes | None:
        """An entry's bytes, none where there is no such entry. Names count without case, as Office counts them."""
        entry = self._entries.get(name.lower())
        if entry is None:
            return None
        try:
            content = self._unpacked(entry)
        except (struct.error, zlib.error) as error:
            raise _damaged(name) from error
        # The directory may lie about the size: no more is unpacked than it says, and it must say what comes.
        if len(content) != entry.file_size or zlib.crc32(content) != entry.CRC:
            raise _damaged(name)
        return content

    def _unpacked(self, entry: zipfile.ZipInfo) -> bytes:
        """An entry's bytes, up to one more than it says to have. By hand, as `ZipFile.open` costs more than small parts do."""
        name_length, extra_length = _LENGTHS.unpack_from(self._data, entry.header_offset + _LENGTHS_AT)
        start = entry.header_offset + _LENGTHS_AT + _LENGTHS.size + name_length + extra_length
        packed = self._data[start : start + entry.compress_size]
        if entry.compress_type == zipfile.ZIP_STORED:
            return packed
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, entry.file_size + 1)


def _damaged(name: str) -> IngestionFailed:
    return failed(FailureKind.CORRUPT, f"The part {name} of the file is damaged.")


def _checked(entries: list[zipfile.ZipInfo], packed: int) -> dict[str, zipfile.ZipInfo]:
    if len(entries) > _MAX_ENTRIES:
        raise failed(FailureKind.UNSAFE_ARCHIVE, f"The file holds {len(entries):,} entries; at most {_MAX_ENTRIES:,} are read.")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > _MAX_BYTES:
        raise failed(FailureKind.UNSAFE_ARCHIVE, f"The file unpacks to more than {_MAX_BYTES // MIB} MB.")
    if unpacked > max(packed * _MAX_RATIO, _RATIO_FREE_BYTES):
        raise failed(FailureKind.UNSAFE_ARCHIVE, f"The file unpacks to more than {_MAX_RATIO} times its size.")
    by_name: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        _check_entry(entry)
        if by_name.setdefault(entry.filename.lower(), entry) is not entry:
            raise failed(FailureKind.UNSAFE_ARCHIVE, "The file holds two entries of one name.")
    return by_name


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.filename.replace("\\", "/")
    if name.startswith("/") or ".." in name.split("/") or (len(name) > 1 and name[1] == ":"):
        raise failed(FailureKind.UNSAFE_ARCHIVE, "The file holds an entry whose name leads out of it.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise failed(FailureKind.UNSAFE_ARCHIVE, "The file holds a link.")
    if name.lower().endswith(_MACRO_PARTS):
        raise failed(FailureKind.UNSAFE_ARCHIVE, "The document carries macros.")
    if entry.flag_bits & _ENCRYPTED_FLAG:
        raise failed(FailureKind.ENCRYPTED, "The file's zip container is encrypted.")
    if entry.compress_type not in _METHODS:
        raise failed(FailureKind.UNSAFE_ARCHIVE, "The file is packed by a method that Office files do not use.")
    if entry.file_size > max(entry.compress_size * _MAX_RATIO, _RATIO_FREE_BYTES):
        raise failed(FailureKind.UNSAFE_ARCHIVE, f"An entry unpacks to more than {_MAX_RATIO} times its size.")
