"""Pinning's wiring: which node the settings name, and whether Arweave gets a copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.launchpad.mirroring import MirrorActivities
from activities.launchpad.pinning import PinningActivities
from composition.parts import Parts
from gateways.arweave import Arweave
from gateways.ipfs import Kubo, Pinata, Pinning
from settings import WorkerSettings
from storage.launchpad.mirrors import MirrorStore
from storage.launchpad.pins import PinStore


def pinning(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    """Every activity of pinning."""
    made = PinningActivities(PinStore(opened.books, settings.ipfs_gateway_url), make_pinning(settings))
    return [made.pin_pictures, made.pin_metadata, made.unpin, *_mirroring(settings, opened)]


def _mirroring(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    """Nothing without ARWEAVE_BUNDLER_URL."""
    if not settings.arweave_bundler_url:
        return []
    arweave = Arweave(settings.arweave_bundler_url, settings.arweave_gateway_url, settings.arweave_keypair)
    return [MirrorActivities(MirrorStore(opened.books), arweave, opened.jobs).mirror_files]


def make_pinning(settings: WorkerSettings) -> Pinning | None:
    """Kubo or Pinata at IPFS_API_URL; Pinata has an address of its own."""
    key = settings.ipfs_api_key.get_secret_value()
    if settings.ipfs_api == "pinata":
        return Pinata(key, settings.ipfs_api_url) if settings.ipfs_api_url else Pinata(key)
    return Kubo(settings.ipfs_api_url, key) if settings.ipfs_api_url else None
