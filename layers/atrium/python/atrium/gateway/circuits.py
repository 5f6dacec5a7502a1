"""A circuit per model and key, in this process: what fails again and again is left alone for a while.

States: CLOSED (calls go out) → OPEN after `FAILURES` failures in a row within `WITHIN` seconds (none go out) → after `REST`
seconds HALF_OPEN (one probe goes out) → CLOSED if it succeeds, OPEN again if it fails. A probe that is called off is none.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

FAILURES: Final = 5
WITHIN: Final = 30.0
REST: Final = 15.0
# Circuits that are known at a time; one that has nothing to tell is forgotten first.
_MOST: Final = 1000


class State(StrEnum):
    """Whether calls go out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(slots=True)
class Circuit:
    """One model's; moments on the clock of its keeper. Ask `admit` before a call, then tell how it went, once."""

    failures: list[float] = field(default_factory=list)  # those since the last success, the latest `FAILURES` of them
    opened_at: float | None = None
    probing: bool = False

    def state(self, now: float) -> State:
        """The state at a moment; HALF_OPEN also while the probe is under way."""
        if self.opened_at is None:
            return State.CLOSED
        return State.HALF_OPEN if now >= self.opened_at + REST else State.OPEN

    def admit(self, now: float) -> State:
        """As what a call may go out: HALF_OPEN as the one probe; OPEN: it may not."""
        state = self.state(now)
        if state is not State.HALF_OPEN:
            return state
        if self.probing:
            return State.OPEN
        self.probing = True
        return State.HALF_OPEN

    def succeeded(self) -> None:
        """The provider answered, be it with a refusal."""
        self.failures.clear()
        self.opened_at, self.probing = None, False

    def failed(self, now: float, admitted: State) -> None:
        """The provider was not there for a call. Late failures of calls from before do not keep it open longer."""
        if admitted is State.HALF_OPEN and self.probing:
            self.opened_at, self.probing = now, False
        elif self.opened_at is None:
            self.failures = [*self.failures, now][-FAILURES:]
            if len(self.failures) == FAILURES and now - self.failures[0] <= WITHIN:
                self.opened_at = now

    def called_off(self, admitted: State) -> None:
        """A call ended without telling anything: its client left."""
        if admitted is State.HALF_OPEN:
            self.probing = False

    def seconds_left(self, now: float) -> float:
        """Until a call may go out; 0 where one may."""
        return 0.0 if self.opened_at is None else min(REST, max(0.0, self.opened_at + REST - now))


class Circuits:
    """All of a process, by whatever tells them apart."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[Hashable, Circuit] = {}

    def of(self, key: Hashable) -> Circuit:
        """The key's circuit, a closed one where none is known."""
        if key not in self._known and len(self._known) >= _MOST:
            self._forget()
        return self._known.setdefault(key, Circuit())

    def _forget(self) -> None:
        now = self._clock()
        stale = [key for key, each in self._known.items() if not each.failures or now - each.failures[-1] > WITHIN + REST]
        for key in stale or list(self._known)[:1]:
            del self._known[key]
