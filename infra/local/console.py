"""What the commands print: a line per step, with its time; colour and redrawn lines on a terminal only."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console

_NOTICEABLE: Final = 0.5

console = Console(highlight=False, soft_wrap=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what begins, and how long it took when that was noticeable (over half a second)."""
    console.print(f"[bold]=>[/bold] {what}")
    started = time.monotonic()
    yield
    took = time.monotonic() - started
    if took > _NOTICEABLE:
        console.print(f"   [dim]{took:.1f} s[/dim]")
