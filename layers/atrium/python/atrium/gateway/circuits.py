"""Circuits per model and key, in this process: what fails again and again is left alone for a while.

Each tenant has one of its own, and all share one that opens only where calls of two tenants fail: what one makes fail closes
nobody else's door.

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

    parties: int = 1  # of so many the failures must be
    failures: list[float] = field(default_factory=list)  # those since the last success, the latest `FAILURES` of them
    failed_for: list[Hashable] = field(default_factory=list)  # whose they were
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
        self.failures, self.failed_for = [], []
        self.opened_at, self.probing = None, False

    def failed(self, now: float, admitted: State, party: Hashable = None) -> None:
        """The provider was not there for a party's call. Late failures of calls from before do not keep it open longer."""
        if admitted is State.HALF_OPEN and self.probing:
            self.opened_at, self.probing = now, False
        elif self.opened_at is None:
            self.failures = [*self.failures, now][-FAILURES:]
            self.failed_for = [*self.failed_for, party][-FAILURES:]
            in_a_row = len(self.failures) == FAILURES and now - self.failures[0] <= WITHIN
            if in_a_row and len(set(self.failed_for)) >= self.parties:
                self.opened_at = now

    def called_off(self, admitted: State) -> None:
        """A call ended without telling anything: its client left."""
        if admitted is State.HALF_OPEN:
            self.probing = False

    def seconds_left(self, now: float) -> float:
        """Until a call may go out; 0 where one may."""
        return 0.0 if self.opened_at is None else min(REST, max(0.0, self.opened_at + REST - now))


@dataclass(slots=True)
class Way:
    """One call's way to a model, through its tenant's circuit and the one that all share. Its failures count once."""

    tenant: Hashable
    own: Circuit
    shared: Circuit
    _admitted: tuple[State, State] = (State.CLOSED, State.CLOSED)
    _counted: bool = False

    def admit(self, now: float) -> bool:
        """Whether an attempt may go out; if so, tell how it went, once."""
        own = self.own.admit(now)
        if own is State.OPEN:
            return False
        shared = self.shared.admit(now)
        if shared is State.OPEN:
            self.own.called_off(own)
            return False
        self._admitted = own, shared
        return True

    def succeeded(self) -> None:
        """See `Circuit.succeeded`."""
        self.own.succeeded()
        self.shared.succeeded()

    def failed(self, now: float) -> None:
        """See `Circuit.failed`."""
        for circuit, admitted in zip((self.own, self.shared), self._admitted, strict=True):
            if admitted is State.HALF_OPEN or not self._counted:
                circuit.failed(now, admitted, self.tenant)
        self._counted = True

    def called_off(self) -> None:
        """See `Circuit.called_off`."""
        for circuit, admitted in zip((self.own, self.shared), self._admitted, strict=True):
            circuit.called_off(admitted)

    def seconds_left(self, now: float) -> float:
        """See `Circuit.seconds_left`."""
        return max(self.own.seconds_left(now), self.shared.seconds_left(now))


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

    def way(self, key: Hashable, tenant: Hashable) -> Way:
        """A tenant's call's, to what the key names."""
        shared = self.of(key)
        shared.parties = 2
        return Way(tenant, self.of((key, tenant)), shared)

    def _forget(self) -> None:
        now = self._clock()
        stale = [key for key, each in self._known.items() if not each.failures or now - each.failures[-1] > WITHIN + REST]
        for key in stale or list(self._known)[:1]:
            del self._known[key]
