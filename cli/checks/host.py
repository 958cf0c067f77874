"""Checks of this machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cli.checks import Finding, broken, good, look

if TYPE_CHECKING:
    from settings import WorkerSettings

FREE_BYTES: Final = 2 * 2**30


async def disk(found: WorkerSettings) -> Finding:
    """Is there room where this machine keeps data and backups?"""
    places = {Path(name) for name in (found.backup_dir, found.temporal_db_file, ".") if name}
    left = {place: shutil.disk_usage(_existing(place)).free for place in places}
    place, free = min(left.items(), key=lambda item: item[1])
    words = f"{free / 2**30:.1f} GiB free at {place}"
    return look("disk", words, "make room, or move the data") if free < FREE_BYTES else good("disk", words)


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())


async def money(found: WorkerSettings) -> Finding:
    """Is real money refused, or meant?"""
    if found.mainnet and found.sandbox_mode:
        fix = "set SANDBOX_MODE=false to go live, or ARBITRUM_CHAIN_ID to a test network"
        return broken("sandbox", f"SANDBOX_MODE is on but chain {found.arbitrum_chain_id} carries real money", fix)
    if found.mainnet:
        return look("sandbox", f"off: chain {found.arbitrum_chain_id} carries real money")
    return good("sandbox", f"chain {found.arbitrum_chain_id} carries no real money")
