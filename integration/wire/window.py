"""How many requests to have under way: enough to be kept busy, whatever time receivers take."""

from __future__ import annotations

#: Receivers that answer at once need no more requests under way than this: more would only wait for us.
WINDOW = 48
#: Those that take their time stop counting once they were looked for in vain so often, or after a silence (s).
LOOKS = 4
SILENCE_S = 0.002


class Window:
    """Counts the requests that may yet be answered at once. A look is when what is over is taken in."""

    def __init__(self) -> None:
        self.count = self._look = 0
        self._begun = [0] * LOOKS

    @property
    def full(self) -> bool:
        """Whether another request would only wait."""
        return self.count >= WINDOW

    def enter(self) -> int:
        """A request begins; returns what `leave` wants to know of it."""
        self.count += 1
        self._begun[self._look % LOOKS] += 1
        return self._look

    def leave(self, entered: int) -> None:
        """It is over."""
        if entered > self._look - LOOKS:
            self.count -= 1
            self._begun[entered % LOOKS] -= 1

    def looked(self, *, in_vain: bool) -> None:
        """What is over was taken in; or there was a silence, and none of those under way will be answered at once."""
        for _ in range(LOOKS if in_vain else 1):
            self._look += 1
            self.count -= self._begun[self._look % LOOKS]
            self._begun[self._look % LOOKS] = 0
