"""A circuit breaker: an upstream that is down is left alone for a while, then one call looks whether it is back."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from domain.shared.errors import Rejected, Unavailable
from gateways.limits import Clock


class Circuit:
    """Opens after `failures` in a row for `pause_s`; then lets one call through, the others wait for its outcome.

    Only `Unavailable` counts: an upstream that refuses a request is up.
    """

    def __init__(
        self, code: str, name: str, *, failures: int = 5, pause_s: float = 30.0, clock: Clock = time.monotonic
    ) -> None:
        self._code, self._name, self._failures, self._pause_s, self._clock = code, name, failures, pause_s, clock
        self._failed = 0
        self._open_until = 0.0
        self._asked_s = 0.0
        self._probing = False

    @property
    def open(self) -> bool:
        """Would a call be refused now?"""
        return self._failed >= self._failures and self._open_until > self._clock()

    def trip(self, seconds: float) -> None:
        """Open for so long at once, whatever was counted: the upstream itself asked for silence.

        Called within the guarded call, which then raises Unavailable.
        """
        self._failed = max(self._failed, self._failures - 1)
        self._asked_s = seconds

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Around one call. Raises: Unavailable without calling while the circuit is open."""
        self._admit()
        try:
            yield
        except Unavailable:
            self._failed += 1
            if self._failed >= self._failures:
                self._open_until = self._clock() + (self._asked_s or self._pause_s)
            self._asked_s = 0.0
            raise
        except Rejected:
            self._failed = 0
            raise
        else:
            self._failed = 0
        finally:
            self._probing = False

    def _admit(self) -> None:
        if self._failed < self._failures:
            return
        left = self._open_until - self._clock()
        if left > 0 or self._probing:
            raise Unavailable(
                self._code,
                f"{self._name} failed {self._failed} times in a row and is left alone",
                retry_after_s=max(1, round(left)),
                circuit_open=True,
            )
        self._probing = True
