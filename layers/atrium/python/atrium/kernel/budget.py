"""Time that work may take: what is not done when it is spent is done by the next run."""

import time
from collections.abc import Callable


class Budget:
    """So many seconds from now on, by a clock that never goes back."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    @property
    def end(self) -> float:
        """The moment on that clock when it is spent."""
        return self._end

    @property
    def left(self) -> float:
        """Seconds; 0 when none is left."""
        return max(0.0, self._end - self._clock())

    @property
    def spent(self) -> bool:
        """Whether to stop."""
        return self.left == 0

    def share(self, of: int) -> "Budget":
        """An equal part of what is left, when `of` tasks are still to do."""
        return Budget(self.left / of, self._clock)
