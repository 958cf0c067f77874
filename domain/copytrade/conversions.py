"""What a conversion did to a wallet, read from its receipt: the venue's API gives no legs (copytrade.md 10).

NO shares of k questions go away, YES shares of the others arrive, and (k - 1) times what arrived of each in collateral,
all less the market's fee. The legs are what the ERC-1155 transfers say; they count only when that arithmetic holds and
nothing else in the transaction moved the wallet's positions. Everything else is UnreadableLog: never a guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from domain.copytrade.chain_logs import read_log
from domain.copytrade.chain_moves import converted
from domain.copytrade.chain_values import ChainMove, ChainResolution, micros
from domain.copytrade.chain_words import RawLog, UnreadableLog, address_of, array, topics, words
from domain.copytrade.contracts import Contracts, Speaks
from domain.copytrade.venue import Kind


class Leg(NamedTuple):
    """Shares of a token that came (positive) or went, in micros."""

    token_id: str
    shares: int


class Conversion(NamedTuple):
    """All conversions of one wallet in one transaction. `usdc`: collateral received."""

    legs: tuple[Leg, ...]
    usdc: int
    market_ids: tuple[str, ...]


def conversion(contracts: Contracts, wallet: str, receipt: Sequence[RawLog]) -> Conversion:
    """Legs and cash of the conversions of `wallet` in a receipt.

    Raises: UnreadableLog when there is none, when other events moved the wallet too, or when the sums do not fit.
    """
    made = _conversions(contracts, wallet, receipt)
    out, back = _shares(contracts, wallet, receipt)
    cash = _cash(contracts, wallet, receipt)
    _check_out(made, out)
    _check_back(made, back, cash)
    net: Counter[str] = Counter()
    for token, amount in back:
        net[token] += amount
    for token, amount in out:
        net[token] -= amount
    legs = tuple(Leg(token, amount) for token, amount in sorted(net.items()) if amount)
    return Conversion(legs, cash, tuple(dict.fromkeys(move.market_id for move in made)))


def _conversions(contracts: Contracts, wallet: str, receipt: Sequence[RawLog]) -> list[ChainMove]:
    """The wallet's conversions. Through an adapter the event names the adapter: then it is the only one there is."""
    own: list[ChainMove] = []
    of_house: list[ChainMove] = []
    for log in receipt:
        said = _conversion_of_house(contracts, log) or read_log(contracts, log)
        if said is None or isinstance(said, ChainResolution):
            continue
        if isinstance(said, ChainMove) and said.kind is Kind.CONVERSION and contracts.is_house(said.wallet):
            of_house.append(said)
        elif said.wallet != wallet:
            continue
        elif isinstance(said, ChainMove) and said.kind is Kind.CONVERSION:
            own.append(said)
        else:
            raise UnreadableLog(f"log {said.log_index} moves the same wallet in another way")
    if own and of_house:
        raise UnreadableLog("conversions of the wallet beside conversions through an adapter")
    if not own and len(of_house) > 1:
        raise UnreadableLog("several conversions through an adapter: whose they are cannot be told")
    if not own and not of_house:
        raise UnreadableLog("the receipt holds no conversion of the wallet")
    return own or of_house


def _conversion_of_house(contracts: Contracts, log: RawLog) -> ChainMove | None:
    """A conversion an adapter made for somebody: `read_log` leaves out what the venue's own addresses do."""
    contract = contracts.at(log.address, log.block_number)
    if contract is None or contract.speaks is not Speaks.NEG_RISK or not log.topics:
        return None
    if log.topics[0] != contracts.topics.positions_converted:
        return None
    said = converted(contract, log)
    return said if contracts.is_house(said.wallet) else None


Moved = list[tuple[str, int]]


def _shares(contracts: Contracts, wallet: str, receipt: Sequence[RawLog]) -> tuple[Moved, Moved]:
    """ERC-1155 transfers out of the wallet and into it."""
    out: Moved = []
    back: Moved = []
    for log in receipt:
        contract = contracts.at(log.address, log.block_number)
        if contract is None or contract.speaks not in (Speaks.TOKENS, Speaks.POSITIONS) or not log.topics:
            continue
        if log.topics[0] == contracts.topics.transfer_single:
            token, value = words(log, 2)
            moved = [(token, value)]
        elif log.topics[0] == contracts.topics.transfer_batch:
            tokens, values = array(log, 0), array(log, 1)
            if len(tokens) != len(values):
                raise UnreadableLog(f"{len(tokens)} tokens and {len(values)} amounts in one transfer")
            moved = list(zip(tokens, values, strict=True))
        else:
            continue
        _operator, sender, to = (address_of(topic) for topic in topics(log, 3))
        pairs = [(str(token), micros(value)) for token, value in moved if value]
        out += pairs if sender == wallet else []
        back += pairs if to == wallet else []
    return out, back


def _cash(contracts: Contracts, wallet: str, receipt: Sequence[RawLog]) -> int:
    """Collateral that arrived; a wallet that paid some did something else too."""
    received = 0
    for log in receipt:
        contract = contracts.at(log.address, log.block_number)
        if contract is None or contract.speaks is not Speaks.CASH or not log.topics:
            continue
        if log.topics[0] != contracts.topics.cash_transfer:
            continue
        sender, to = (address_of(topic) for topic in topics(log, 2))
        (value,) = words(log, 1)
        if sender == wallet and value:
            raise UnreadableLog("the wallet paid collateral in the same transaction")
        received += micros(value) if to == wallet else 0
    return received


def _check_out(made: list[ChainMove], out: Moved) -> None:
    """As many NO shares left as the events say, of as many questions."""
    expected = Counter(move.shares for move in made for _ in range(move.index_set.bit_count()))
    if Counter(amount for _, amount in out) != expected:
        raise UnreadableLog("what left the wallet is not what was converted")


def _check_back(made: list[ChainMove], back: Moved, cash: int) -> None:
    """Each YES that arrived is the converted amount less one fee, and the cash is (k - 1) of it per conversion.

    With a fee, or without any YES, the amounts tell only for a single conversion.
    """
    received = {amount for _, amount in back}
    full = sum(_multiplier(move) * (move.shares or 0) for move in made)
    if len(made) == 1:
        [move] = made
        amounts = received or ({cash // _multiplier(move)} if _multiplier(move) and cash else {move.shares or 0})
        if len(amounts) != 1:
            raise UnreadableLog("different amounts of different outcomes arrived")
        [each] = amounts
        if not 0 < each <= (move.shares or 0) or cash != each * _multiplier(move):
            raise UnreadableLog(f"{cash} micros of collateral arrived for {each} of each outcome")
    elif cash != full or not received <= {move.shares for move in made}:
        raise UnreadableLog("several conversions at once, and their sums do not fit")


def _multiplier(move: ChainMove) -> int:
    return max(0, move.index_set.bit_count() - 1)
