"""A small world of real parts for tests: Postgres, Temporal, anvil, and our workers in this process.

`World.open()` gives everything on a database and a chain of its own. Tests act through public interfaces (a transfer on
the chain, a row as the API writes it, an update to a process) and read the books. Nothing here replaces product code.
"""

from tests.world.chain import CHAIN_ID, USDC, calldata, fresh_address
from tests.world.wallets import Wallets
from tests.world.world import World

__all__ = ["CHAIN_ID", "USDC", "Wallets", "World", "calldata", "fresh_address"]
