"""Deterministic processes. Each `run` reads as the business process; what it does outside is an activity."""
