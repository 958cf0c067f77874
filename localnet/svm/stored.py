"""An account as bytes, for the tables: lamports, rent epoch, executable, owner, data."""

from __future__ import annotations

import struct

from solders.account import Account
from solders.pubkey import Pubkey

_HEAD = struct.Struct("<QQ?32s")


def pack(account: Account | None) -> bytes:
    """No bytes at all for an account that does not exist."""
    if account is None:
        return b""
    return _HEAD.pack(account.lamports, account.rent_epoch, account.executable, bytes(account.owner)) + account.data


def unpack(stored: bytes) -> Account | None:
    if not stored:
        return None
    lamports, rent_epoch, executable, owner = _HEAD.unpack_from(stored)
    return Account(lamports, stored[_HEAD.size :], Pubkey.from_bytes(owner), executable, rent_epoch)
