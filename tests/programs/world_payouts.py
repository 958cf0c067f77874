"""What is owed and paid out, on the ledger and in the books."""

from __future__ import annotations

from solders.instruction import AccountMeta, Instruction

from tests.programs.ledger import SYSTEM, call, find
from tests.programs.world import ACTIVE, POSITION_RENT, Scene, Wallet


class PayoutActs(Scene):
    """Each act does the same to both sides or raises Refused having changed neither."""

    def distribute(self, who: Wallet) -> str:
        self.ledger.send(call("distribute", self.sale.accounts()))
        books = self.books
        for name in books.received:
            books.received[name] += books.due[name]
            books.tax_held -= books.due[name]
            books.due[name] = 0
        return "distribute"

    def settle(self, who: Wallet) -> str:
        own = {"sale": self.sale.key, "referral": find(b"referral", who.keys.pubkey())}
        own["position"] = find(b"position", self.sale.key, who.keys.pubkey())
        uplines = [find(b"referral", upline.keys.pubkey()) for upline in who.chain]
        own |= {f"upline{i + 1}": key for i, key in enumerate([*uplines, *[SYSTEM] * (5 - len(uplines))])}
        self.ledger.send(call("settleReferral", own))
        assert sum(who.earned) > 0
        for upline, share in zip(who.chain, who.earned, strict=False):
            upline.pending += share
        self.books.due["referral"] -= sum(who.earned)
        self.books.tax_held -= sum(who.earned)
        who.earned = [0] * 5
        return "settle"

    def claim_referral(self, who: Wallet) -> str:
        own = {"user": who.keys.pubkey(), "referral": find(b"referral", who.keys.pubkey())}
        self.ledger.send(call("claimReferral", own), signers=[who.keys])
        who.lamports, who.pending = who.lamports + who.pending, 0
        return "claimReferral"

    def close_position(self, who: Wallet) -> str:
        self.ledger.send(call("closePosition", self.sale.accounts(who.keys.pubkey())))
        assert (who.waiting, sum(who.earned)) == (0, 0)
        assert self.books.status != ACTIVE or self.ended()
        who.has_position, who.lamports = False, who.lamports + POSITION_RENT
        return "closePosition"

    def refund(self, who: Wallet) -> str:
        self.sale.refund(who.keys.pubkey())
        books = self.books
        assert self.ended()
        assert not books.latched
        books.refunding, who.has_position = True, False
        books.sold, books.held = books.sold - who.waiting, books.held - who.waiting
        books.raised, books.tax_held = books.raised - who.paid, books.tax_held - who.tax
        who.lamports += who.paid + who.tax + POSITION_RENT
        who.waiting = who.paid = who.tax = 0
        who.earned = [0] * 5
        return "refund"

    def reclaim(self, who: Wallet) -> str:
        self.ledger.send(call("reclaim", self.sale.accounts()))
        books = self.books
        assert self.ended()
        assert (books.latched, books.reclaimed) == (False, False)
        books.reclaimed, books.supply = True, books.supply - self.sale.supply
        return "reclaim"

    def harvest(self, who: Wallet) -> str:
        """Anybody collects the withheld fees of all accounts in the mint; the program hands them on."""
        at = [self.sale.vault.pubkey(), *self.outside.values(), *(wallet.tokens_at for wallet in self.wallets)]
        if self.books.pool[0]:
            at += [self.pooled.tokens, self.pooled.accounts()["creatorTokens"]]
        mint, program = self.sale.mint.pubkey(), self.sale.token_program
        metas = [AccountMeta(mint, False, True), *(AccountMeta(key, False, True) for key in at)]
        step = call("harvest", {**self.sale.accounts(), "rewardsTokens": self.outside["rewards"]})
        self.ledger.send(Instruction(program, b"\x1a\x04", metas), step)
        self.books.outside["rewards"] += self.books.withheld
        self.books.withheld = 0
        return "harvest"
