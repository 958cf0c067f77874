"""What the chain trigger is told and tells, and the rows it writes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from domain.copytrade import position_ids
from domain.copytrade.chain_values import ChainFill, ChainMove
from domain.copytrade.venue import Kind


class FollowPolygon(BaseModel):
    """Listen to the chain the venue settles on."""

    model_config = ConfigDict(frozen=True)
    chain_id: int


class PolygonFollowed(BaseModel):
    """One turn. `logs`: rows that were new."""

    model_config = ConfigDict(frozen=True)
    logs: int = 0
    connections: int = 0


class ArrivedLog(NamedTuple):
    """A row of copytrade.chain_logs. Never canonical."""

    tx_hash: str
    log_index: int
    block_hash: str
    block_number: int
    block_time: datetime | None
    contract: str
    kind: str
    wallet: str
    role: str
    token_id: str
    condition_id: str
    side: str | None
    share_micros: int
    usdc_micros: int
    fee_micros: int
    arrived_at: datetime
    raw: dict[str, Any]


KINDS: Final = {
    Kind.SPLIT: "split",
    Kind.MERGE: "merge",
    Kind.REDEEM: "redeem",
    Kind.CONVERSION: "convert",
}


def arrived(
    said: ChainFill | ChainMove, block_time: datetime | None, arrived_at: datetime, raw: dict[str, Any]
) -> ArrivedLog:
    """The row of a log. An amount the event does not say is 0; `raw` has all it says.

    Fills of combined positions are a kind of their own: the venue's feed tells them apart too, and nobody copies them.
    """
    common = (said.tx_hash, said.log_index, said.block_hash, said.block_number, block_time, said.contract)
    if isinstance(said, ChainMove):
        amounts = (said.shares or 0, said.usdc or 0, 0)
        move = (KINDS[said.kind], said.wallet, "", said.token_id, said.condition_id, None)
        return ArrivedLog(*common, *move, *amounts, arrived_at, raw)
    position = position_ids.read(said.token_id)
    kind = "combo" if position is not None and position.module == position_ids.COMBO else "fill"
    fill = (kind, said.wallet, said.role.value, said.token_id, "", said.side.value)
    return ArrivedLog(*common, *fill, said.shares, said.usdc, said.fee, arrived_at, raw)
