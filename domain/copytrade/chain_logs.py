"""What a log of the venue's contracts says: a fill, a move of positions, a resolution. Pure (polymarket.md 2.3).

Whose fill it is stands in the maker topic alone: the log whose taker is a wallet describes somebody else's order, often
in the complementary token. So one match between two followed wallets gives each of them its own trade, once.
"""

from __future__ import annotations

from collections.abc import Callable

from domain.copytrade import chain_moves as moves
from domain.copytrade.chain_values import ChainFill, ChainResolution, Role, Said, micros
from domain.copytrade.chain_words import RawLog, UnreadableLog, address_of, topics, words
from domain.copytrade.contracts import Contract, Contracts, Speaks
from domain.copytrade.venue import Side


def read_log(contracts: Contracts, log: RawLog) -> Said | None:
    """What the log says; None when it is not of the venue, of no use to us, or of one of the venue's own addresses.

    Raises: UnreadableLog when contract and event are known and the rest does not fit them.
    """
    contract = contracts.at(log.address, log.block_number)
    if contract is None or not log.topics:
        return None
    reader = _readers(contracts).get((contract.speaks, log.topics[0]))
    if reader is None:
        return None
    said = reader(contract, log)
    own = not isinstance(said, ChainResolution) and contracts.is_house(said.wallet)
    return None if own else said


def _readers(contracts: Contracts) -> dict[tuple[Speaks, str], Callable[[Contract, RawLog], Said]]:
    known = contracts.topics
    return {
        (Speaks.EXCHANGE, known.order_filled): _filled,
        (Speaks.EXCHANGE_V1, known.order_filled_v1): _filled_v1,
        (Speaks.TOKENS, known.position_split): moves.split,
        (Speaks.TOKENS, known.positions_merge): moves.merge,
        (Speaks.TOKENS, known.payout_redemption): moves.redemption,
        (Speaks.TOKENS, known.condition_resolution): moves.resolution,
        (Speaks.NEG_RISK, known.neg_risk_split): moves.neg_risk_split,
        (Speaks.NEG_RISK, known.neg_risk_merge): moves.neg_risk_merge,
        (Speaks.NEG_RISK, known.neg_risk_redemption): moves.neg_risk_redemption,
        (Speaks.NEG_RISK, known.positions_converted): moves.converted,
        (Speaks.MODULE, known.module_split): moves.module_split,
        (Speaks.MODULE, known.module_merge): moves.module_merge,
        (Speaks.MODULE, known.module_redeem): moves.module_redeem,
        (Speaks.MODULE, known.module_resolved): moves.module_resolved,
    }


# Fills.


def _filled(contract: Contract, log: RawLog) -> ChainFill:
    _, maker, taker = topics(log, 3)
    side, token, made, taken, fee, _builder, _metadata = words(log, 7)
    if side > 1:
        raise UnreadableLog(f"side {side} is neither BUY nor SELL")
    bought = side == 0
    shares, usdc = (taken, made) if bought else (made, taken)
    return _fill(contract, log, maker, taker, (Side.BUY if bought else Side.SELL, token, shares, usdc, fee, 0))


def _filled_v1(contract: Contract, log: RawLog) -> ChainFill:
    _, maker, taker = topics(log, 3)
    gave, got, made, taken, fee = words(log, 5)
    if (gave == 0) == (got == 0):
        raise UnreadableLog("neither or both of the assets are the collateral")
    if gave == 0:
        return _fill(contract, log, maker, taker, (Side.BUY, got, taken, made, 0, fee))
    return _fill(contract, log, maker, taker, (Side.SELL, gave, made, taken, fee, 0))


def _fill(
    contract: Contract, log: RawLog, maker: str, taker: str, what: tuple[Side, int, int, int, int, int]
) -> ChainFill:
    side, token, shares, usdc, fee, fee_shares = what
    return ChainFill(
        wallet=address_of(maker),
        role=Role.TAKER if address_of(taker) == log.address else Role.MAKER,
        token_id=str(token),
        side=side,
        shares=micros(shares),
        usdc=micros(usdc),
        fee=micros(fee),
        fee_shares=micros(fee_shares),
        version=contract.version,
        contract=log.address,
        tx_hash=log.tx_hash,
        log_index=log.log_index,
        block_number=log.block_number,
        block_hash=log.block_hash,
        removed=log.removed,
    )
