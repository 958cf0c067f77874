"""When to look at sales again: what a node tells of our program by WebSocket, and a timer."""

from __future__ import annotations

import json
from collections.abc import Sequence

from gateways.evm.wakeups import WakeUps

SILENCE_S = 60.0
"""Nobody may trade for a long time; a socket that died meanwhile costs no more than the timer's pace."""


def sale_hints(ws_urls: Sequence[str], program: str, *, poll_s: float) -> WakeUps:
    """Ticks when a transaction that names the program is final, and every `poll_s`. No `ws_urls`: the timer alone."""
    asked = [{"mentions": [program]}, {"commitment": "finalized"}]
    request = {"jsonrpc": "2.0", "id": 1, "method": "logsSubscribe", "params": asked}
    return WakeUps(*ws_urls, poll_s=poll_s, silence_s=SILENCE_S, subscription=json.dumps(request))
