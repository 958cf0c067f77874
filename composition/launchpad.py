"""The queue `launchpad`: what it serves, a module per part. Without SOLANA_RPC_URL it serves nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.operations.parking import ParkingActivities
from composition.launchpad_deployments import deployments
from composition.launchpad_launches import launches
from composition.launchpad_pinning import pinning
from composition.launchpad_sales import sales
from composition.launchpad_sending import sending
from composition.launchpad_upkeep import upkeep
from composition.parts import Parts
from settings import WorkerSettings


def launchpad(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    """Every activity of this queue."""
    nodes = opened.solana
    if nodes is None:
        return []
    return [
        ParkingActivities(opened.jobs).park_operation,
        *deployments(settings, opened, nodes),
        *pinning(settings, opened),
        *sending(settings, opened, nodes),
        *launches(settings, opened, nodes),
        *sales(settings, opened, nodes),
        *upkeep(settings, opened, nodes),
    ]
