"""A stand-in for the Token Metrics API, v2 and v3: made-up data, honest formulas, faults on request.

Beside the floors of the house: it imports none of them. Every answer carries the header
``X-Sandbox: made-up data, not Token Metrics``.
"""

from integration.sandbox.app import create_sandbox
from integration.sandbox.running import RunningSandbox, serve
from integration.sandbox.settings import SANDBOX_KEY, SandboxSettings, parse_day
from integration.sandbox.state import Sandbox

__all__ = ["SANDBOX_KEY", "RunningSandbox", "Sandbox", "SandboxSettings", "create_sandbox", "parse_day", "serve"]
