"""What traders and the tax do along the curve, on the ledger and in the books."""

from __future__ import annotations

from domain.launchpad import curves, trade_tax
from tests.programs.ledger import call
from tests.programs.world import ACTIVE, CLOSED, POSITION_RENT, Scene, Wallet


class CurveActs(Scene):
    """Each act does the same to both sides or raises Refused having changed neither."""

    def _open_position(self, who: Wallet) -> None:
        if not who.has_position:
            who.has_position, who.lamports = True, who.lamports - POSITION_RENT

    def buy(self, who: Wallet) -> str:
        books, most = self.books, self.terms["most"]
        tokens = self.random.choice([1, self.random.randint(1, max(1, most // self.pace))])
        taken = min(tokens, most - books.sold)
        value = curves.cost(self.sale.curve, books.sold, taken)
        limit = value + trade_tax.tax_of(value, self.terms["taxBps"])
        self.sale.buy(who.keys, tokens, limit, who.tokens_at)
        self._open_position(who)
        tax = self.book(who, value)
        who.lamports -= value + tax
        books.sold, books.raised = books.sold + taken, books.raised + value
        if books.latched:
            who.tokens += self.arrives(taken)
        else:
            who.waiting, who.paid, who.tax = who.waiting + taken, who.paid + value, who.tax + tax
            books.held += taken
        self._after_purchase()
        return "buy"

    def _after_purchase(self) -> None:
        books = self.books
        books.latched |= books.raised >= self.terms["softCap"]
        if books.sold == self.terms["most"]:
            books.status = CLOSED

    def sell(self, who: Wallet) -> str:
        amount = self.random.randint(1, who.tokens) if who.tokens else 1
        books, before = self.books, self.books.withheld
        back = self.arrives(amount)
        fee, books.withheld = books.withheld - before, before
        value = curves.revenue(self.sale.curve, books.sold, back) if back <= books.sold else 0
        least = value - trade_tax.tax_of(value, self.terms["taxBps"])
        self.sale.sell(who.keys, who.tokens_at, amount, least)
        if who.chain:
            self._open_position(who)
        who.lamports += value - self.book(who, value)
        who.tokens -= amount
        books.withheld += fee
        books.sold, books.raised = books.sold - back, books.raised - value
        return "sell"

    def claim(self, who: Wallet) -> str:
        self.sale.claim(who.keys.pubkey(), who.tokens_at)
        who.tokens += self.arrives(who.waiting)
        self.books.held -= who.waiting
        who.waiting = who.paid = who.tax = 0
        return "claim"

    def burn(self, who: Wallet) -> str:
        """The tax's quarter, or one base unit more than it pays for."""
        books, curve, most = self.books, self.sale.curve, self.terms["most"]
        fits = curves.max_affordable(curve, books.sold, books.due["burn"], most) if books.status == ACTIVE else 0
        tokens = self.random.choice([fits, fits + 1, self.random.randint(1, fits or 1)])
        taken = min(tokens, most - books.sold)
        step = call("burn", self.sale.accounts(), tokens)
        self.ledger.send(step, signers=[self.sale.platform])
        cost = curves.cost(curve, books.sold, taken)
        assert taken <= fits
        books.due["burn"] -= cost
        books.tax_held -= cost
        books.raised += cost
        books.sold, books.burned, books.supply = books.sold + taken, books.burned + taken, books.supply - taken
        self._after_purchase()
        return "burn"
