"""Processes of the exchange."""
