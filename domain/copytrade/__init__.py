"""Paper copy-trading of Polymarket wallets: pure rules, no I/O, no clock, no floats."""
