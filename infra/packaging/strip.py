"""Shared libraries without what only debuggers read. Measured: 34 MB of the 274 that base+llm+embed weigh.

Wheels carry symbols and debug sections that lie behind all that is ever loaded. The loader follows program headers only, so
the file can end where the last segment does, and its section headers go too: no tool of the target machine is needed.
"""

import struct
from pathlib import Path
from typing import Final, NamedTuple

# ELF, 64 bits, little-endian: what Lambda runs, and Linux on the machines of developers.
_MAGIC: Final = b"\x7fELF\x02\x01"
_HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT: Final = struct.Struct("<IIQQQQQQ")


class _Segment(NamedTuple):
    kind: int
    flags: int
    offset: int
    virtual: int
    physical: int
    file_size: int
    memory_size: int
    align: int


def strip_libraries(packages: Path) -> int:
    """Strip every shared library below a folder; the bytes saved."""
    return sum(_strip(path) for path in packages.rglob("*.so*") if path.is_file() and not path.is_symlink())


def _strip(path: Path) -> int:
    data = path.read_bytes()
    if not data.startswith(_MAGIC) or len(data) < _HEADER.size:
        return 0
    kept = _loaded(data)
    path.write_bytes(kept)
    return len(data) - len(kept)


def _loaded(data: bytes) -> bytes:
    """The file as far as segments reach, without section headers."""
    ident, kind, machine, version, entry, at, _, flags, own, size, count, *_ = _HEADER.unpack_from(data)
    segments = [_Segment._make(_SEGMENT.unpack_from(data, at + size * number)) for number in range(count)]
    end = max((each.offset + each.file_size for each in segments), default=len(data))
    end = max(end, at + size * count)
    header = _HEADER.pack(ident, kind, machine, version, entry, at, 0, flags, own, size, count, 0, 0, 0)
    return header + data[_HEADER.size : end]
