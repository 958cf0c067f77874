"""The standard world: a few markets of every kind, the same for the same seed.

Some of their end dates are wrong on purpose, as at the real venue: sport goes on past its date, one market says 2028,
one says nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from localnet.polymarket.markets import Market
from localnet.polymarket.numbers import ONE
from localnet.polymarket.shelf import Shelf
from localnet.polymarket.sources import Drawn
from localnet.polymarket.tape import Played, Tape
from localnet.polymarket.venue import Venue

DAY = 86_400
YEAR_2028 = 1_830_297_600
LEADERS = ("steady-whale", "quick-fox", "patient-owl")


class Question(NamedTuple):
    """A market of the world. `ends_in`: seconds from now, None for never said; `base`: around which price it trades."""

    slug: str
    text: str
    ends_in: int | None = 30 * DAY
    labels: tuple[str, str] = ("Yes", "No")
    tick: int = 10_000
    version: str = "v1"
    seconds_delay: int = 0
    base: int = 0


class Subject(NamedTuple):
    """An event and its markets."""

    slug: str
    title: str
    category: str
    neg_risk: bool
    questions: tuple[Question, ...]


WORLD: tuple[Subject, ...] = (
    Subject("treaty", "The treaty", "geopolitics", False, (
        Question("treaty-signed", "Will the treaty be signed this year?", 60 * DAY, base=420_000),
        Question("border-open", "Will the border be open in spring?", 90 * DAY),
    )),
    Subject("bitcoin-this-month", "Bitcoin this month", "crypto", False, (
        Question("bitcoin-above-150k", "Bitcoin above 150,000 at the end of the month?", base=500_000),
        Question("bitcoin-up", "Bitcoin up or down this month?", labels=("Up", "Down"), base=500_000),
    )),
    Subject("cup-final", "The cup final", "sports", False, (
        Question("cup-final-winner", "Who wins the cup final?", -3_600, ("Lions", "Hawks"), seconds_delay=3),
        Question("cup-final-goals", "Over or under 2.5 goals?", 4 * 3_600, ("Over", "Under"), seconds_delay=3),
    )),
    Subject("dallas-highest-temperature", "Highest temperature in Dallas", "weather", True, (
        Question("dallas-below-98", "Will it stay below 98°F in Dallas?", 2 * DAY, base=180_000),
        Question("dallas-98-99", "Will the highest be 98-99°F in Dallas?", 2 * DAY, base=310_000),
        Question("dallas-100-101", "Will the highest be 100-101°F in Dallas?", 2 * DAY, base=350_000),
        Question("dallas-102-up", "Will it reach 102°F in Dallas?", 2 * DAY, base=150_000),
    )),
    Subject("next-chair", "Who chairs the committee?", "politics", True, (
        Question("chair-adams", "Will Adams chair the committee?", tick=1_000, base=460_000),
        Question("chair-baker", "Will Baker chair the committee?", tick=1_000, base=330_000),
        Question("chair-other", "Will somebody else chair the committee?", tick=1_000, base=200_000),
    )),
    Subject("rates", "Interest rates", "finance", False, (
        Question("rates-cut-december", "Will rates be cut in December?", version="v2", base=610_000),
    )),
    Subject("culture", "Culture", "culture", False, (
        Question("album-of-the-year", "Will it be album of the year?", YEAR_2028, base=270_000),
    )),
    Subject("tech", "Technology", "tech", False, (
        Question("phone-folds", "Will the next phone fold?", None, base=550_000),
    )),
)  # fmt: skip


def furnish(
    venue: Venue, shelf: Shelf | None = None, tape: Tape | None = None, born: int | None = None
) -> list[Market]:
    """Builds the world. With a tape the Bitcoin markets show real books, otherwise all are drawn.

    `born`: the second from which end dates count, default now.
    """
    now, made = venue.now_ms() // 1000 if born is None else born, []
    for subject in WORLD:
        event = venue.add_event(subject.slug, subject.title, subject.category, neg_risk=subject.neg_risk)
        for question in subject.questions:
            ends = question.ends_in
            market = venue.add_market(
                event, question.slug, question.text, labels=question.labels, tick=question.tick,
                ends_at=ends if ends is None or ends == YEAR_2028 else now + ends, version=question.version,
                seconds_delay=question.seconds_delay, starts_at=now,
            )  # fmt: skip
            made.append(market)
            if shelf is not None:
                shelf.sources[market.condition_id] = Drawn(venue.seed, market.slug, market.tick, question.base)
    for name in LEADERS:
        venue.wallet(name)
    if shelf is not None and tape is not None:
        for number, slug in enumerate(("bitcoin-above-150k", "bitcoin-up")):
            reel = tape.reels[(venue.seed + number) % len(tape.reels)]
            shelf.sources[venue.market(slug).condition_id] = Played(tape, reel)
    return made


def winners(venue: Venue, market: Market, first_wins: bool) -> list[tuple[Market, tuple[int, int]]]:
    """What resolving this market means: of a neg-risk event exactly one question ends with YES."""
    if not market.neg_risk:
        return [(market, (ONE, 0) if first_wins else (0, ONE))]
    open_ones = [one for one in market.event.markets if one.payouts is None]
    winner = market if first_wins else open_ones[(open_ones.index(market) + 1) % len(open_ones)]
    return [(one, (ONE, 0) if one is winner else (0, ONE)) for one in open_ones]
