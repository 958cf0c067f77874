"""Search attributes: how operators find a process in the Temporal UI. Registered at start, never encrypted."""

from __future__ import annotations

from typing import Final

from temporalio.common import SearchAttributeKey

AREA: Final = SearchAttributeKey.for_keyword("Area")
ACCOUNT_ID: Final = SearchAttributeKey.for_keyword("AccountId")
ASSET_ID: Final = SearchAttributeKey.for_keyword("AssetId")
WALLET: Final = SearchAttributeKey.for_keyword("Wallet")
NEEDS_OPERATOR: Final = SearchAttributeKey.for_bool("NeedsOperator")

ALL: Final = (AREA, ACCOUNT_ID, ASSET_ID, WALLET, NEEDS_OPERATOR)
