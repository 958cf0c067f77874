"""The local Solana node: JSON-RPC and WebSocket over LiteSVM, whose programs are the real ones.

One ledger (``ledger.py``), served on two ports (``server.py``) that can be told to misbehave each on its own
(``faults.py``, ``control.py``). Slots are a function of time, commitments of a slot's age; every account can be read as
it stood at any of the last slots, so a node that is behind simply looks at an older one.
"""
