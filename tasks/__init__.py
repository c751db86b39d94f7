"""Celery: wake-ups and ticks. A message says that there is work; the work itself is in the database."""
