"""Methods that read accounts. Each takes the list of parameters and gives the ``result``."""

from __future__ import annotations

from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from localnet.svm import accounts, asked, tokens
from localnet.svm.asked import Params
from localnet.svm.errors import invalid
from localnet.svm.port import Port, commitment

Json = dict[str, Any]
VERSION = "2.2.0"
MOST_ACCOUNTS = 100
MOST_DATA = 10 * 2**20


def answered(slot: int, value: Any) -> Json:
    """A value with the slot it is from."""
    return {"context": {"apiVersion": VERSION, "slot": slot}, "value": value}


class Reading:
    """Reads as one port sees the ledger."""

    def __init__(self, port: Port) -> None:
        self.port = port

    def table(self) -> dict[str, Any]:
        return {
            "getAccountInfo": self.account_info,
            "getMultipleAccounts": self.multiple_accounts,
            "getProgramAccounts": self.program_accounts,
            "getBalance": self.balance,
            "getTokenAccountBalance": self.token_account_balance,
            "getTokenSupply": self.token_supply,
            "getTokenAccountsByOwner": self.token_accounts_by_owner,
            "getTokenLargestAccounts": self.token_largest_accounts,
            "getMinimumBalanceForRentExemption": self.rent_minimum,
        }

    def find(self, key: Pubkey, slot: int) -> Account | None:
        return None if self.port.lies.blind else self.port.ledger.account(key, slot)

    def _slot(self, config: Json) -> int:
        return self.port.context(commitment(config), config)

    def _shown(self, key: Pubkey, slot: int, config: Json) -> Json | None:
        account = self.find(key, slot)
        return None if account is None else accounts.shown(account, config, lambda other: self.find(other, slot))

    def account_info(self, params: Params) -> Json:
        key, config = asked.key(asked.at(params, 0)), asked.config(params, 1)
        slot = self._slot(config)
        return answered(slot, self._shown(key, slot, config))

    def multiple_accounts(self, params: Params) -> Json:
        wanted, config = asked.at(params, 0), asked.config(params, 1)
        if not isinstance(wanted, list):
            raise invalid("Invalid params: invalid type: expected a list of addresses.")
        if len(wanted) > MOST_ACCOUNTS:
            raise invalid(f"Too many inputs provided; max {MOST_ACCOUNTS}")
        keys, slot = [asked.key(one) for one in wanted], self._slot(config)
        return answered(slot, [self._shown(key, slot, {"encoding": "base64", **config}) for key in keys])

    def program_accounts(self, params: Params) -> Any:
        program, config = asked.key(asked.at(params, 0)), asked.config(params, 1)
        slot = self._slot(config)
        passes = accounts.matcher(config.get("filters") or [])
        found = []
        for key in self.port.ledger.store.owned(program, slot):
            account = self.find(key, slot)
            if account is not None and account.owner == program and passes(account):
                shown = accounts.shown(account, config, lambda other: self.find(other, slot))
                found.append({"pubkey": str(key), "account": shown})
        return answered(slot, found) if config.get("withContext") else found

    def balance(self, params: Params) -> Json:
        key, config = asked.key(asked.at(params, 0)), asked.config(params, 1)
        slot = self._slot(config)
        account = self.find(key, slot)
        return answered(slot, 0 if account is None else account.lamports)

    def token_account_balance(self, params: Params) -> Json:
        key, config = asked.key(asked.at(params, 0)), asked.config(params, 1)
        slot = self._slot(config)
        account = self.find(key, slot)
        if account is None:
            raise invalid("Invalid param: could not find account")
        holding = tokens.token_account(account)
        if holding is None:
            raise invalid("Invalid param: not a Token account")
        return answered(slot, tokens.amount(holding.amount, self._mint(holding.mint, slot).decimals))

    def _mint(self, key: Pubkey, slot: int) -> tokens.Mint:
        account = self.find(key, slot)
        if account is None:
            raise invalid("Invalid param: could not find mint")
        found = tokens.mint(account)
        if found is None:
            raise invalid("Invalid param: not a Token mint")
        return found

    def token_supply(self, params: Params) -> Json:
        key, config = asked.key(asked.at(params, 0)), asked.config(params, 1)
        slot = self._slot(config)
        found = self._mint(key, slot)
        return answered(slot, tokens.amount(found.supply, found.decimals))

    def token_accounts_by_owner(self, params: Params) -> Json:
        wallet, choice, config = asked.key(asked.at(params, 0)), asked.at(params, 1), asked.config(params, 2)
        slot = self._slot(config)
        wanted_mint = wanted_program = None
        if isinstance(choice, dict) and "mint" in choice:
            wanted_mint = asked.key(choice["mint"])
            self._mint(wanted_mint, slot)
        elif isinstance(choice, dict) and "programId" in choice:
            wanted_program = asked.key(choice["programId"])
            if wanted_program not in tokens.PROGRAMS:
                raise invalid("Invalid param: unrecognized Token program id")
        else:
            raise invalid("Invalid params: expected `mint` or `programId`.")
        found = []
        for key in self.port.ledger.store.held(wallet, slot):
            account = self.find(key, slot)
            holding = tokens.token_account(account)
            if account is None or holding is None or holding.owner != wallet:
                continue
            if wanted_mint in (None, holding.mint) and wanted_program in (None, account.owner):
                shown = accounts.shown(account, config, lambda other: self.find(other, slot))
                found.append({"pubkey": str(key), "account": shown})
        return answered(slot, found)

    def token_largest_accounts(self, params: Params) -> Json:
        """The twenty largest holdings of a mint."""
        mint, config = asked.key(asked.at(params, 0)), asked.config(params, 1)
        slot = self._slot(config)
        decimals = self._mint(mint, slot).decimals
        program = self.find(mint, slot)
        assert program is not None, "it is a mint"
        held = []
        for key in self.port.ledger.store.owned(program.owner, slot):
            holding = tokens.token_account(self.find(key, slot))
            if holding is not None and holding.mint == mint:
                held.append((holding.amount, str(key)))
        held.sort(reverse=True)
        return answered(slot, [{"address": key, **tokens.amount(units, decimals)} for units, key in held[:20]])

    def rent_minimum(self, params: Params) -> int:
        size = asked.number(asked.at(params, 0))
        if size > MOST_DATA:
            raise invalid("Invalid param: data length too large")
        return self.port.ledger.bank.svm.minimum_balance_for_rent_exemption(size)
