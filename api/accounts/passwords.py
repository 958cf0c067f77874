"""Passwords: argon2id with the OWASP parameters (19 MiB, 2 passes), computed off the event loop, two at a time."""

from __future__ import annotations

import asyncio
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_SLOTS: Final = asyncio.Semaphore(2)
"""Bounds memory: a flood of logins waits in line instead of taking 19 MiB each."""
_NOBODY: Final = _HASHER.hash("nobody has this password")


async def hash_password(password: str) -> str:
    """The argon2id hash of a new password."""
    async with _SLOTS:
        return await asyncio.to_thread(_HASHER.hash, password)


async def verify_password(stored: str | None, password: str) -> bool:
    """Does the password fit? Without an account the same work is done, so that time does not tell who exists."""
    async with _SLOTS:
        fits = await asyncio.to_thread(_verify, stored or _NOBODY, password)
    return fits and stored is not None


def _verify(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
