"""How much of everything one file may use."""

from dataclasses import asdict, dataclass, replace
from typing import Self

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ParserLimits:
    """Limits of one parse. Seconds, bytes, characters.

    `memory_bytes` is address space, so it counts the interpreter and its libraries too (about 120 MB of it).
    """

    wall_seconds: float = 90.0
    cpu_seconds: int = 60
    memory_bytes: int = 512 * MIB
    max_file_bytes: int = 100 * MIB
    max_pages: int = 2_000
    max_text_chars: int = 20_000_000

    def to_dict(self) -> dict[str, float]:
        """As JSON can carry it; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, float]) -> Self:
        """The limits that `to_dict` wrote."""
        whole = {name: int(value) for name, value in values.items() if name != "wall_seconds"}
        return cls(wall_seconds=values["wall_seconds"], **whole)


DEFAULT_LIMITS = ParserLimits()


def limits_for(size: int) -> ParserLimits:
    """The limits of a file of `size` bytes: what is small is read in moments, or is made to waste time.

    10 s of computing for up to 1 MiB (a thousand pages take 5), 2 s for each MiB more, 60 s at most; on the clock half as
    much again, as two steps may share a core.
    """
    cpu = min(10 + 2 * max(0, -(-size // MIB) - 1), DEFAULT_LIMITS.cpu_seconds)
    return replace(DEFAULT_LIMITS, cpu_seconds=cpu, wall_seconds=cpu * 1.5)
