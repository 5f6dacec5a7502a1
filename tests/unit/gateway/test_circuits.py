"""The circuit as a state machine, against the plain words of its rule."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from atrium.gateway.circuits import FAILURES, REST, WITHIN, Circuit, Circuits, State


class CircuitMachine(RuleBasedStateMachine):
    """Calls come, go well, badly or not at all, in any order and at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.circuit = Circuit()
        self.now = 1000.0
        self.under_way: list[State] = []
        self.failures: list[float] = []  # in a row, since the last success
        self.opened_at: float | None = None

    @property
    def open(self) -> bool:
        return self.opened_at is not None and self.now < self.opened_at + REST

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def call(self) -> None:
        admitted = self.circuit.admit(self.now)
        if self.open:
            assert admitted is State.OPEN
        elif self.opened_at is None:
            assert admitted is State.CLOSED
        else:
            assert admitted is (State.OPEN if State.HALF_OPEN in self.under_way else State.HALF_OPEN)
        if admitted is not State.OPEN:
            self.under_way.append(admitted)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        admitted = self._ended(data)
        self.circuit.succeeded()
        self.failures, self.opened_at = [], None
        # A probe that is still under way when an older call succeeds is a call like any other.
        self.under_way = [State.CLOSED for _ in self.under_way]
        assert self.circuit.state(self.now) is State.CLOSED, admitted

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        admitted = self._ended(data)
        self.circuit.failed(self.now, admitted)
        if admitted is State.HALF_OPEN:
            self.opened_at = self.now
        elif self.opened_at is None:
            self.failures.append(self.now)
            latest = self.failures[-FAILURES:]
            if len(latest) == FAILURES and latest[-1] - latest[0] <= WITHIN:
                self.opened_at = self.now

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def call_off(self, data: st.DataObject) -> None:
        self.circuit.called_off(self._ended(data))

    def _ended(self, data: st.DataObject) -> State:
        return self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))

    @invariant()
    def never_more_than_one_probe(self) -> None:
        assert self.under_way.count(State.HALF_OPEN) <= 1

    @invariant()
    def says_how_long_it_rests(self) -> None:
        left = self.circuit.seconds_left(self.now)
        assert 0 <= left <= REST
        assert (left > 0) == self.open


TestCircuitMachine = CircuitMachine.TestCase
# The same calls every time, however busy the machine is.
TestCircuitMachine.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def test_failures_that_are_far_apart_open_nothing() -> None:
    circuit = Circuit()
    for number in range(20):
        circuit.failed(number * 10.0, State.CLOSED)
    assert circuit.state(200) is State.CLOSED


def test_circuits_are_apart_and_do_not_pile_up() -> None:
    now = 0.0
    circuits = Circuits(lambda: now)
    for _ in range(FAILURES):
        circuits.of("broken").failed(now, State.CLOSED)
    for number in range(5000):
        assert circuits.of(number).state(now) is State.CLOSED
    assert circuits.of("broken").state(now) is State.OPEN
    assert len(circuits._known) <= 1000


@pytest.mark.parametrize("outcome", [State.CLOSED, State.OPEN])
def test_a_probe_decides(outcome: State) -> None:
    circuit = Circuit()
    for _ in range(FAILURES):
        circuit.failed(0, State.CLOSED)
    probe = circuit.admit(REST)
    assert probe is State.HALF_OPEN
    if outcome is State.CLOSED:
        circuit.succeeded()
    else:
        circuit.failed(REST, probe)
    assert circuit.state(REST) is outcome
