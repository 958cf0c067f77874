"""`holdfast demo`: the main jobs, for real, against a running stack; exit 0 only if each ended as it should."""

from cli.demo.script import run

__all__ = ["run"]
