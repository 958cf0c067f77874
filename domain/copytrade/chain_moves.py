"""Logs that move positions: splits, merges, redemptions, conversions, resolutions, one function per event."""

from __future__ import annotations

from domain.copytrade.chain_values import ChainMove, ChainResolution, micros
from domain.copytrade.chain_words import RawLog, UnreadableLog, address_of, address_word, array, topics, word, words
from domain.copytrade.contracts import Contract
from domain.copytrade.venue import Kind

# ConditionalTokens and the adapters before it.


def split(contract: Contract, log: RawLog) -> ChainMove:
    who, condition, amount = _pairs(log)
    return _move(contract, log, who, Kind.SPLIT, condition_id=condition, shares=amount, usdc=amount)


def merge(contract: Contract, log: RawLog) -> ChainMove:
    who, condition, amount = _pairs(log)
    return _move(contract, log, who, Kind.MERGE, condition_id=condition, shares=amount, usdc=amount)


def _pairs(log: RawLog) -> tuple[str, str, int]:
    who, parent, condition = topics(log, 3)
    if int(parent, 16):
        raise UnreadableLog("a position inside another condition's position")
    if array(log, 1) != (1, 2):
        raise UnreadableLog(f"a partition into {array(log, 1)} instead of two outcomes")
    return who, condition, word(log, 2)


def redemption(contract: Contract, log: RawLog) -> ChainMove:
    who, _collateral, parent = topics(log, 3)
    if int(parent, 16):
        raise UnreadableLog("a position inside another condition's position")
    condition = f"0x{word(log, 0):064x}"
    return _move(contract, log, who, Kind.REDEEM, condition_id=condition, usdc=word(log, 2))


def resolution(contract: Contract, log: RawLog) -> ChainResolution:
    condition, _oracle, _question = topics(log, 3)
    return ChainResolution(condition, array(log, 1), log.tx_hash, log.log_index, log.block_number, log.removed)


# Positions: NegRiskAdapter.


def neg_risk_split(contract: Contract, log: RawLog) -> ChainMove:
    who, condition = topics(log, 2)
    (amount,) = words(log, 1)
    return _move(contract, log, who, Kind.SPLIT, condition_id=condition, shares=amount, usdc=amount)


def neg_risk_merge(contract: Contract, log: RawLog) -> ChainMove:
    who, condition = topics(log, 2)
    (amount,) = words(log, 1)
    return _move(contract, log, who, Kind.MERGE, condition_id=condition, shares=amount, usdc=amount)


def neg_risk_redemption(contract: Contract, log: RawLog) -> ChainMove:
    who, condition = topics(log, 2)
    amounts, payout = array(log, 0), word(log, 1)
    return _move(
        contract,
        log,
        who,
        Kind.REDEEM,
        condition_id=condition,
        shares=sum(amounts),
        amounts=tuple(micros(amount) for amount in amounts),
        usdc=payout,
    )


def converted(contract: Contract, log: RawLog) -> ChainMove:
    who, market, index_set = topics(log, 3)
    (amount,) = words(log, 1)
    return _move(contract, log, who, Kind.CONVERSION, shares=amount, market_id=market, index_set=int(index_set, 16))


# Positions: modules of Protocol V2. The user is the recipient, never the initiator.


def module_split(contract: Contract, log: RawLog) -> ChainMove:
    _initiator, condition, who = topics(log, 3)
    other, amount = words(log, 2)
    if address_word(other) != address_of(who):
        raise UnreadableLog("a split whose two outcomes go to two wallets")
    return _move(contract, log, who, Kind.SPLIT, condition_id=_bytes31(condition), shares=amount, usdc=amount)


def module_merge(contract: Contract, log: RawLog) -> ChainMove:
    _initiator, condition, who = topics(log, 3)
    (amount,) = words(log, 1)
    return _move(contract, log, who, Kind.MERGE, condition_id=_bytes31(condition), shares=amount, usdc=amount)


def module_redeem(contract: Contract, log: RawLog) -> ChainMove:
    _initiator, position, who = topics(log, 3)
    amount, payout = words(log, 2)
    value = int(position, 16)
    return _move(
        contract,
        log,
        who,
        Kind.REDEEM,
        condition_id=f"0x{value >> 8:062x}",
        token_id=str(value),
        shares=amount,
        usdc=payout,
    )


def module_resolved(contract: Contract, log: RawLog) -> ChainResolution:
    (condition,) = topics(log, 1)
    return ChainResolution(
        _bytes31(condition), array(log, 0), log.tx_hash, log.log_index, log.block_number, log.removed
    )


def _move(
    contract: Contract,
    log: RawLog,
    who: str,
    kind: Kind,
    *,
    condition_id: str = "",
    token_id: str = "",
    shares: int | None = None,
    amounts: tuple[int, ...] = (),
    usdc: int | None = None,
    market_id: str = "",
    index_set: int = 0,
) -> ChainMove:
    return ChainMove(
        wallet=address_of(who),
        kind=kind,
        condition_id=condition_id,
        token_id=token_id,
        shares=None if shares is None else micros(shares),
        amounts=amounts,
        usdc=None if usdc is None else micros(usdc),
        market_id=market_id,
        index_set=index_set,
        version=contract.version,
        contract=log.address,
        tx_hash=log.tx_hash,
        log_index=log.log_index,
        block_number=log.block_number,
        block_hash=log.block_hash,
        removed=log.removed,
    )


def _bytes31(topic: str) -> str:
    """A bytes31 as 62 digits; it stands left in its topic."""
    if topic[-2:] != "00":
        raise UnreadableLog(f"{topic} is no bytes31")
    return topic[:-2]
