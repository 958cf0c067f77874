"""Accounts, their balances and ledger, API keys, sessions."""
