"""The OpenMetrics text format, version 1.0.0."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

CONTENT_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
# What the name of a sample has beside its family's.
_SUFFIXES: Final = {"gauge": "", "counter": "_total", "info": "_info"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One number, told apart from the family's others by its labels."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Family:
    """Numbers of one kind. `unit` is empty or the end of `name`."""

    name: str
    help: str
    samples: tuple[Sample, ...]
    unit: str = ""
    type: Literal["gauge", "counter", "info"] = "gauge"


def render(families: Iterable[Family]) -> str:
    """The families as a scraper reads them, ended by `# EOF`."""
    return "".join(line for family in families for line in _lines(family)) + "# EOF\n"


def _lines(family: Family) -> Iterable[str]:
    yield f"# TYPE {family.name} {family.type}\n"
    if family.unit:
        yield f"# UNIT {family.name} {family.unit}\n"
    yield f"# HELP {family.name} {_escaped(family.help)}\n"
    suffix = _SUFFIXES[family.type]
    for sample in family.samples:
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
        yield f"{family.name}{suffix}{f'{{{labels}}}' if labels else ''} {_number(sample.value)}\n"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
