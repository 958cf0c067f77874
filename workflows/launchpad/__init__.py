"""Processes of the launchpad."""
