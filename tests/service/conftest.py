"""A Gradewire over a real database and a wall clock that stands: the same as the doors are tested with."""

from tests.web.conftest import both, gradewire, wall

__all__ = ["both", "gradewire", "wall"]
