"""What the processes of sales, their activities and the feed say to each other. Fields are only ever added."""

from __future__ import annotations

from typing import NamedTuple

from domain.launchpad.sale import Emitted, SaleKeys, Terms
from domain.launchpad.sale_life import Phase
from domain.launchpad.transactions import Value


class NewSale(Value):
    """A sale that was created on the chain."""

    project_id: str
    keys: SaleKeys
    program_id: str
    terms: Terms


class OpenedSale(NamedTuple):
    sale_id: str
    operation_id: str


class RunSales(Value):
    """Input of the feed."""


class SalesFollowed(Value):
    """One turn of the feed. `events`: recorded in it."""

    events: int = 0


class SaleRef(Value):
    sale_id: str


class SaleNews(Value):
    """Signal `look`: the chain says something else than the sale's row."""

    cause: str = ""


class SaleLook(Value):
    """What the chain says of a sale. `wait_s`: no need to look again before, unless somebody says so."""

    phase: Phase
    status: str
    wait_s: int = 0
    detail: str = ""


class RefundRound(Value):
    """Refunds that are planned, by the keys of their transactions. `number`: rounds of a sale count from 1."""

    number: int
    keys: tuple[str, ...]
    stuck: tuple[str, ...] = ()
    """Wallets whose refund alone has failed on the chain; only these are left."""


class PlanRefunds(Value):
    """`failed`: keys of the last round that did not land; `again`: an operator wants those tried once more that were
    stuck."""

    sale_id: str
    failed: tuple[str, ...] = ()
    again: bool = False


class Planned(Value):
    """Transactions to land one after the other."""

    keys: tuple[str, ...]


class TradeRef(Value):
    transaction_id: str


class TradeKey(Value):
    """The plan's key, and what it is in a few words."""

    key: str
    summary: str


class TradeLanded(Value):
    """`outcome`, `code` and `signature` as the landing has them; `final`: it can no longer be undone."""

    transaction_id: str
    outcome: str
    final: bool = False
    code: str | None = None
    signature: str | None = None


class TradeEnded(Value):
    status: str
    code: str | None = None


class Followed(NamedTuple):
    """A sale as the feed follows it. `quiet`: it has ended, nobody waits for anything in it but its team, and
    we have sent nothing for it lately."""

    id: str
    project_id: str
    address: str
    decimals: int
    cursor: str
    cursor_slot: int
    status: str
    operation_id: str | None
    quiet: bool = False


class ToldTransaction(NamedTuple):
    """A finalized transaction that concerns a sale. `events`: of all it told, with their place in it."""

    signature: str
    slot: int
    block_time: int | None
    events: tuple[tuple[int, Emitted], ...] = ()
