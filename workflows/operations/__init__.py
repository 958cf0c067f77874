"""Processes that keep the system itself in order."""
