"""What the three areas have in common: money, ids, the ledger's grammar, errors, events."""
