"""A table that grows by one row a day."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHUNK = 256


class Table:
    """Rows of shape (columns,) appended one by one; ``rows`` is a view of shape (days, columns)."""

    def __init__(self, columns: int, dtype: type = np.float64) -> None:
        self._data: NDArray[Any] = np.empty((_CHUNK, columns), dtype=dtype)
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def __getitem__(self, day: int) -> NDArray[Any]:
        if not 0 <= day < self._used:
            raise IndexError(day)
        row: NDArray[Any] = self._data[day]
        return row

    @property
    def rows(self) -> NDArray[Any]:
        """All rows so far, shape (days, columns)."""
        return self._data[: self._used]

    def append(self, row: NDArray[Any]) -> None:
        """Add the next day's row, doubling the room when it is full."""
        if self._used == len(self._data):
            wider = np.empty((2 * self._used, self._data.shape[1]), dtype=self._data.dtype)
            wider[: self._used] = self._data
            self._data = wider
        self._data[self._used] = row
        self._used += 1
