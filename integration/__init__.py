"""Gradewire: signal automation for the Token Metrics crypto API."""
