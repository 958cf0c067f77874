"""Where people look a transaction up (LP-031). A public cluster is named in the link; a local chain has no page."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

_PAGES: Final = {"explorer": "https://explorer.solana.com/tx/", "solscan": "https://solscan.io/tx/"}


def explorer_links(cluster: str, signature: str) -> dict[str, str]:
    """Explorer → address of the transaction's page. On a local chain the explorer asks the visitor for the node."""
    named = {"mainnet-beta": "", "localnet": "custom"}.get(cluster, cluster)
    query = "?" + urlencode({"cluster": named}) if named else ""
    return {name: page + signature + query for name, page in _PAGES.items()}
