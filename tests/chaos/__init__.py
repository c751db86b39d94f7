"""Proof by breaking it: real processes, broken at named points; what was owed arrives all the same, and is counted."""
