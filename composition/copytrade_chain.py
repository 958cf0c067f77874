"""The chain's wiring: which node, which contracts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.copytrade.chain import ChainTriggerActivities
from activities.copytrade.chain_turn import Collaborators
from composition.parts import Parts, make_contracts
from gateways.polymarket.chain import PolygonSocket
from settings import WorkerSettings
from storage.copytrade.chain_checks import ChainCheckStore
from storage.copytrade.chain_logs import ChainLogStore
from storage.copytrade.chain_state import ChainStateStore


def chain_trigger(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    """Every activity of the chain trigger."""
    contracts, chain_id = make_contracts(settings), settings.polygon_chain_id
    collaborators = Collaborators(
        rpc=opened.polygon,
        logs=ChainLogStore(opened.books),
        state=ChainStateStore(opened.books),
        checks=ChainCheckStore(opened.books),
        quarantine=opened.jobs.quarantine,
    )
    url = settings.alchemy_ws_url

    def open_socket() -> PolygonSocket:
        return PolygonSocket(url, contracts, chain_id=chain_id)

    trigger = ChainTriggerActivities(open_socket if url else None, collaborators)
    return [trigger.follow_polygon]
