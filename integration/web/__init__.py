"""The HTTP doors: the API under /v1, its documents, and the page."""

from integration.web.app import create_app

__all__ = ["create_app"]
