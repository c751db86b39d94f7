"""A clock that several processes share and a test sets: they live by the real one, so far ahead or behind."""

from __future__ import annotations

import struct
import threading
import time
from pathlib import Path

import time_machine

_FORMAT = struct.Struct("q")
LOOK_S = 0.01


class SharedClock:
    """The test's end. It may only be set where the processes look for it: in a file of the test's folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.ahead_ms = 0
        self.jump(0)

    def now(self) -> int:
        """What the processes take the time for, in UTC epoch milliseconds."""
        return time.time_ns() // 1_000_000 + self.ahead_ms

    def jump(self, milliseconds: int) -> None:
        """Let the clock jump, forward or back; returns when everyone has had the time to look."""
        self.ahead_ms += milliseconds
        with self._file.open("r+b" if self._file.exists() else "wb") as out:
            out.write(_FORMAT.pack(self.ahead_ms))
        time.sleep(5 * LOOK_S)


class Follower:
    """A process' end: from `follow` on, all of its clocks but the monotonic one are the shared one."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self._ahead = self._shared()
        self._traveller = time_machine.travel(time.time() + self._ahead / 1000).start()

    def follow(self) -> None:
        """Look after the clock in a thread; to be called again after a fork."""
        threading.Thread(target=self._follow, name="clock", daemon=True).start()

    def _shared(self) -> int:
        return int(_FORMAT.unpack(self._file.read_bytes())[0])

    def _follow(self) -> None:
        while True:
            ahead = self._shared()
            if ahead != self._ahead:
                self._traveller.shift((ahead - self._ahead) / 1000)
                self._ahead = ahead
            time.sleep(LOOK_S)
