"""Vendors' contracts as local servers: they enforce the published limits and answer with the real errors."""
