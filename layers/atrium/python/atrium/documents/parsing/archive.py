"""Zip containers, opened with distrust: how many entries, how large, how tight, and what their names are up to."""

import stat
import zipfile
import zlib
from io import BytesIO
from typing import Self

from atrium.documents.parsing.failures import FailureKind, failed
from atrium.documents.parsing.limits import MIB

_MAX_ENTRIES = 1_000
_MAX_BYTES = 100 * MIB
_MAX_RATIO = 100
_RATIO_FREE_BYTES = MIB  # a small entry may be all zeros without harm
_ENCRYPTED_FLAG = 0x1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_MACRO_PARTS = ("vbaproject.bin", "vbadata.xml")


class Archive:
    """A zip file that passed every check. Raise `unsafe-archive`, `encrypted` or `corrupt` on opening."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError) as error:
            raise failed(FailureKind.CORRUPT, "The file's zip container is damaged or incomplete.") from error
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
            with self._zip.open(entry) as source:
                # The header may lie about the size: what is read is counted, not believed.
                content = source.read(_MAX_BYTES + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
            raise failed(FailureKind.CORRUPT, f"The part {name} of the file is damaged.") from error
        if len(content) > _MAX_BYTES:
            raise failed(FailureKind.UNSAFE_ARCHIVE, f"The part {name} unpacks to more than {_MAX_BYTES // MIB} MB.")
        return content


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
