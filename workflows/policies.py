"""Named timeouts and retries. Outages are waited out; what cannot succeed is not tried again (errors.py decides which).

Failures carry `non_retryable` from the interceptor, so no policy lists error types.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from temporalio.common import RetryPolicy

PATIENT: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=100), backoff_coefficient=2, maximum_interval=timedelta(seconds=10)
)
"""For what must happen in the end: no limit, so that an outage of hours is only a delay."""

PROMPT: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=100), backoff_coefficient=1.5, maximum_interval=timedelta(seconds=2)
)
"""For long-running followers: back quickly after a worker died."""

LOCAL: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(seconds=10),
    "retry_policy": PATIENT,
    "local_retry_threshold": timedelta(seconds=4),
}
"""Short steps in the worker itself: one transaction, or reads."""

EFFECT: Final[dict[str, Any]] = {"start_to_close_timeout": timedelta(seconds=20), "retry_policy": PATIENT}
"""One outside effect."""

SWIFT: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(seconds=60),
    "heartbeat_timeout": timedelta(seconds=1.2),
    "retry_policy": PATIENT,
}
"""One outside effect, or reads from outside, that goes on at once when its worker dies. Heartbeating."""

ONCE: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(seconds=45),
    "heartbeat_timeout": timedelta(seconds=5),
    "retry_policy": RetryPolicy(maximum_attempts=1),
}
"""One outside effect that costs: the workflow counts its attempts, a lost worker is one of them. Heartbeating."""

FOLLOW: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(minutes=20),
    "heartbeat_timeout": timedelta(seconds=3),
    "retry_policy": PROMPT,
}
"""Heartbeating activities that run for minutes."""

ENGINE: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(minutes=60),
    "heartbeat_timeout": timedelta(seconds=1.2),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=100), backoff_coefficient=1.2, maximum_interval=timedelta(seconds=0.5)
    ),
}
"""The market engine: taken over within two and a half seconds when its worker dies."""

DUE: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(minutes=10),
    "retry_policy": PATIENT,
    "local_retry_threshold": timedelta(seconds=4),
}
"""A local step that waits for its moment itself, and through an outage of the database rather than ask twice."""

BOUNDED: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(minutes=2),
    "heartbeat_timeout": timedelta(seconds=1.2),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=100), maximum_interval=timedelta(seconds=10), maximum_attempts=12
    ),
}
"""One outside effect of a process that can still be undone: after a minute of refusals that is better. Heartbeating."""

UNTIL_SEEN: Final[dict[str, Any]] = {**SWIFT, "retry_policy": PROMPT}
"""Reading back what is expected to be there in a moment. Heartbeating."""

LANDING: Final[dict[str, Any]] = {**FOLLOW, "heartbeat_timeout": timedelta(seconds=1.2)}
"""A signed transaction on its way to the chain: minutes at most, and at once elsewhere when its worker dies."""
