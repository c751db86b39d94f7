"""Use cases: where a pure decision meets the database and the wire."""
