"""Does a trade cost more when the orders are for a hundred assets instead of one? One engine, 256 buyers, both ways.

A batch over many assets locks and writes as many rows of assets and of their buckets; what one asset spares by sharing
is what this shows.
"""

from __future__ import annotations

from benchmarks import market, report, stage
from benchmarks.hot_curve import ROUNDS, ours, sound
from localnet.running import running_postgres

CLIENTS = 256
ASSETS = 100
TARGET = 0.8


async def measure() -> bool:
    with stage.directory() as directory:
        async with running_postgres(directory / "postgres", durable=True) as server:
            found = {}
            for assets in (1, ASSETS):
                dsn = await stage.new_database(server, f"spread_{assets}")
                found[assets] = (dsn, await market.populate(dsn, CLIENTS, assets))
            rounds = []
            for number in range(ROUNDS):
                order = (1, ASSETS) if number % 2 == 0 else (ASSETS, 1)
                runs = {assets: await ours(*found[assets], CLIENTS, 10 * number) for assets in order}
                rounds.append(report.faster(runs[ASSETS].per_s, runs[1].per_s))
            for dsn, cast in found.values():
                await sound(dsn, cast, replays=True)
    line = report.Line(f"{CLIENTS} buyers, {ASSETS} assets against one", "trades/s", tuple(rounds), TARGET)
    return report.show("spread_assets", [line], sides=(f"{ASSETS} assets", "one asset"))


if __name__ == "__main__":
    report.main(measure)
