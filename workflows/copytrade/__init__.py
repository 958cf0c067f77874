"""Processes of copytrade."""
