"""What the rules look at, worked out once: what we would do, with which token, on which book, at which marks."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from domain.copytrade.books import is_placeholder, mid, sorted_book
from domain.copytrade.config import Guardrails
from domain.copytrade.entries import Scope
from domain.copytrade.groups import Group, GroupKind
from domain.copytrade.inputs import Inputs
from domain.copytrade.portfolio import Marks, Portfolio, equity, held_for
from domain.copytrade.venue import Book, Side
from domain.copytrade.walk import seen_from


class Act(StrEnum):
    """NOTHING: a leader's event that has no counterpart in our portfolio."""

    BUY = "BUY"
    SELL = "SELL"
    SPLIT = "SPLIT"
    MERGE = "MERGE"
    NOTHING = "NOTHING"

    @property
    def on_book(self) -> bool:
        return self in (Act.BUY, Act.SELL)


class View(NamedTuple):
    """`held`: shares (pairs of a MERGE) this group may take: of its leader alone in EXEC_GLOBAL.

    `book`: of `token_id`, best first; None when there is none or none is needed. `mid` None: it has no mid.
    `their_price` None: there is none to compare with. `now`: when the decision is made; no clock is asked.
    """

    group: Group
    inputs: Inputs
    portfolio: Portfolio
    scope: Scope
    act: Act
    token_id: str
    held: int
    book: Book | None
    mid: int | None
    their_price: int | None
    marks: Marks
    equity: int
    now: datetime

    @property
    def opening(self) -> bool:
        return self.act in (Act.BUY, Act.SPLIT) or (self.act is Act.NOTHING and self.group.kind.opening)

    @property
    def side(self) -> Side:
        return Side.BUY if self.opening else Side.SELL

    @property
    def prices(self) -> Guardrails:
        """Price rules are the user's in both scopes."""
        return self.inputs.config.guardrails

    @property
    def caps(self) -> Guardrails:
        """Caps and breakers of EXEC_GLOBAL are the GLOBAL row's (CG-099)."""
        general = self.scope is Scope.EXEC_GLOBAL
        return self.inputs.general.guardrails if general else self.inputs.config.guardrails


def view(group: Group, inputs: Inputs, portfolio: Portfolio, scope: Scope) -> View:
    """Raises: ValueError for a shadow: it does what the leader does and decides nothing."""
    if scope is Scope.SHADOW_USER:
        raise ValueError("a shadow decides nothing")
    act, token_id, held = _act(group, inputs, portfolio, scope)
    book = _book(inputs, token_id) if act.on_book else None
    middle = None if book is None else mid(book)
    marks = {token: mark.price for token, mark in inputs.marks.items()}
    if book is not None and middle is not None and not is_placeholder(book):
        marks[token_id] = middle
    return View(
        group=group,
        inputs=inputs,
        portfolio=portfolio,
        scope=scope,
        act=act,
        token_id=token_id,
        held=held,
        book=book,
        mid=middle,
        their_price=group.price if group.kind in (GroupKind.BUY, GroupKind.SELL) else None,
        marks=marks,
        equity=equity(portfolio, marks),
        now=max(group.due_at, inputs.requested_at),
    )


def _act(group: Group, inputs: Inputs, portfolio: Portfolio, scope: Scope) -> tuple[Act, str, int]:
    """What, with which token, and how much of it there is to take."""

    def held(token_id: str) -> int:
        if scope is Scope.EXEC_GLOBAL:
            return held_for(portfolio, group.followed_user_id, token_id)
        return max(0, portfolio.shares_of(token_id))

    kind, tokens = group.kind, group.token_ids
    first = tokens[0] if tokens else ""
    if kind in (GroupKind.BUY, GroupKind.SELL):
        return Act(kind), first, held(first)
    if kind is GroupKind.SPLIT:
        return (Act.SPLIT if len(tokens) == 2 else Act.NOTHING), first, 0
    pairs = min((held(token) for token in tokens), default=0)
    if kind is GroupKind.MERGE and len(tokens) == 2 and pairs > 0:
        return Act.MERGE, first, pairs
    legs = [token for token in tokens if held(token) > 0]
    if kind is not GroupKind.CONVERSION and len(legs) == 1 and inputs.flags.leg_policy == "sell_held":
        return Act.SELL, legs[0], held(legs[0])
    return Act.NOTHING, first, 0


def _book(inputs: Inputs, token_id: str) -> Book | None:
    """The group's one book, seen from our token; a book of another market is none."""
    book = inputs.book
    if book is None or (book.token_id != token_id and {book.token_id, token_id} != set(inputs.market.legs)):
        return None
    return seen_from(sorted_book(book), token_id)
