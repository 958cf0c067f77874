"""Upkeep of the system itself: dispatch, checks, webhooks, backups."""
