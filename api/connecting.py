"""The lazy Temporal client's own way to say that nobody listens, in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from domain.shared.errors import Unavailable


@contextmanager
def connecting() -> Iterator[None]:
    """Turn the SDK's RuntimeError of a failed first connection into Unavailable temporal_unavailable.

    A client made with lazy=True connects with its first call; when that fails it raises a bare RuntimeError and not
    an RPCError, and tries again with the next call.
    """
    try:
        yield
    except RuntimeError as error:
        if "client connect" not in str(error):
            raise
        raise Unavailable("temporal_unavailable", "the workflow service does not answer") from error
