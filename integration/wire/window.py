"""How many requests to have under way: enough to be kept busy, whatever time receivers take."""

from __future__ import annotations

#: Receivers that answer at once need no more requests under way than this: more would only wait for us.
WINDOW = 48
#: Those that take their time stop counting once so many times others were over, or in a silence that has lasted so long (s).
LOOKS = 4
SILENCE_S = 0.002


class Window:
    """Counts the requests that may yet be answered at once."""

    def __init__(self) -> None:
        self.count = self._look = 0
        self._begun = [0] * LOOKS
        self._silent = False

    @property
    def full(self) -> bool:
        """Whether another request would only wait."""
        return self.count >= WINDOW

    @property
    def patience(self) -> float:
        """How long to wait for an answer before others are begun (s): a silence goes on until something is over."""
        return 0.0 if self._silent else SILENCE_S

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

    def looked(self) -> None:
        """Something was over, and what was begun some looks ago was not."""
        self._silent = False
        self._look += 1
        self.count -= self._begun[self._look % LOOKS]
        self._begun[self._look % LOOKS] = 0

    def silence(self) -> None:
        """Nothing was over: none of those under way will be answered at once."""
        self._silent = True
        self._look += LOOKS
        self.count, self._begun = 0, [0] * LOOKS
