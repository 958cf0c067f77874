"""`holdfast chain` and `holdfast backfill`: the scanner's cursor, its halt, reading blocks again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from cli import context
from cli.context import DataDir
from cli.failures import UNAVAILABLE, principal
from cli.output import Json, Yes, agreed, out, print_json, progress, table
from domain.shared.errors import Broken, Failure, Rejected, Unavailable

if TYPE_CHECKING:
    from composition.parts import Parts
    from domain.exchange.messages import BlockRef
    from settings import WorkerSettings
    from storage.operator import ChainState

app = typer.Typer(
    help="The chain as the scanner sees it: status, resume, rescan; our wallets and their nonces.", no_args_is_help=True
)


@app.command()
def status(as_json: Json = False, data_dir: DataDir = None) -> None:
    """Cursor, lag, finality, and why it stands still if it does. Exit code 4 when the node or Temporal is away."""

    async def read() -> dict[str, Any]:
        found = context.settings(data_dir)
        async with context.opened(found) as parts:
            return await _status(parts, found.arbitrum_chain_id)

    shown = context.run(read)
    if as_json:
        print_json(shown)
    else:
        out.print(table(("what", "value"), [(name.replace("_", " "), value) for name, value in shown.items()]))
    if shown["node"] != "ok" or shown["scanner"] == "temporal_unavailable":
        raise typer.Exit(UNAVAILABLE)


async def _status(parts: Parts, chain_id: int) -> dict[str, Any]:
    from storage import operator

    state = await operator.chain_state(parts.pool, chain_id)
    shown: dict[str, Any] = {
        **state.model_dump(exclude={"started_at", "updated_at", "lowest_read"}),
        "last_step_at": state.updated_at.isoformat(timespec="seconds"),
        "last_step_s_ago": max(0, int((datetime.now(UTC) - state.updated_at).total_seconds())),
    }
    try:
        head = await parts.chain.head()
        shown |= {
            "node": "ok",
            "node_head": head.latest.number,
            "lag_blocks": head.latest.number + 1 - state.next_block,
        }
    except (Unavailable, Broken) as failure:
        shown |= {"node": f"{failure.code}: {failure.detail}", "node_head": None, "lag_blocks": None}
    return {**shown, "scanner": await _scanner(parts, chain_id)}


async def _scanner(parts: Parts, chain_id: int) -> str:
    """How the scanner's process stands in Temporal."""
    from cli.failures import understand
    from domain.shared import ids
    from workflows import search

    try:
        run = await parts.processes.client.get_workflow_handle(ids.chain_scanner(chain_id)).describe()
    except Exception as error:
        known = understand(error)
        if not isinstance(known, Failure):
            raise
        return "no such process: start a worker" if known.code == "not_found" else known.code
    if run.typed_search_attributes.get(search.NEEDS_OPERATOR):
        return "waits for an operator: holdfast chain resume"
    return run.status.name.lower() if run.status else "unknown"


@app.command()
def resume(
    accept_reorg: Annotated[
        bool, typer.Option("--accept-reorg", help="Follow the chain although it changed below its own finality.")
    ] = False,
    yes: Yes = False,
    data_dir: DataDir = None,
) -> None:
    """Clear the halt after the runbook was followed, and wake the scanner."""

    async def act() -> None:
        found = context.settings(data_dir)
        async with context.opened(found) as parts:
            await _resume(parts, found, accept_reorg=accept_reorg, yes=yes)

    context.run(act)


async def _resume(parts: Parts, found: WorkerSettings, *, accept_reorg: bool, yes: bool) -> None:
    from cli.stuck import poke
    from domain.shared import ids
    from storage import operator

    chain_id = found.arbitrum_chain_id
    await parts.chain.check_chain()
    state = await operator.chain_state(parts.pool, chain_id)
    out.print(f"halted: {state.halted_reason or 'no'}", markup=False, soft_wrap=True)
    fork = await _fork(parts, found, state)
    if fork is not None and not accept_reorg:
        raise Rejected("conflict", f"it would halt again at once: {fork.words}. Bring the right node back, or follow "
                       "it with --accept-reorg (runbook deep_reorg)")  # fmt: skip
    plan = ["clear the halt"] if state.halted_reason else []
    if fork is not None:
        pending, credited = await operator.above(parts.pool, chain_id, fork.ancestor.number)
        plan.append(f"take finality back to block {fork.ancestor.number}: {fork.words}")
        plan.append(f"{pending} deposits above it become orphans until they are included again")
        plan.append(f"{credited} credited deposits above it stay credited and open an incident each")
    plan.append(f"send the signal `resume` to {ids.chain_scanner(chain_id)}")
    if not agreed(yes, plan):
        return
    accepted = fork.ancestor if fork is not None else None
    await operator.resume_chain(parts.pool, principal(), chain_id, reason=state.halted_reason, accept=accepted)
    await poke(parts, ids.chain_scanner(chain_id), "resume")


class Fork(NamedTuple):
    """The chain and our memory differ below finality; `ancestor` is the newest block both have."""

    ancestor: BlockRef
    words: str


async def _fork(parts: Parts, found: WorkerSettings, state: ChainState) -> Fork | None:
    """Would the scanner halt again? It does when the common ancestor lies below the finalized block it has seen."""
    from composition.custody import wallets
    from domain.exchange.deposits import common_ancestor
    from storage.exchange.chain import ChainStore

    store = ChainStore(parts.books, found.arbitrum_chain_id, found.deposit_policy(), wallets(found))
    seen = await store.recent_blocks()
    head = (await parts.chain.head()).latest.number
    if not seen:
        return None
    with progress("comparing blocks"):
        now = {b.number: b for b in await parts.chain.blocks([b.number for b in seen if b.number <= head])}
    newest = seen[0]
    if newest.number in now and now[newest.number].hash == newest.hash:
        return None
    number = common_ancestor(seen, list(now.values()))
    if number is not None and number >= state.finalized_block:
        return None
    known = number if number is not None else min(head, min(b.number for b in seen) - 1)
    block = now.get(known) or next(iter(await parts.chain.blocks([max(0, known)])), None)
    if block is None:
        raise Unavailable("chain_lagging", f"the node does not have block {known}")
    return Fork(block, f"the chain differs from what we saw above block {known}, finalized was {state.finalized_block}")


@app.command()
def rescan(
    from_block: Annotated[int, typer.Option("--from-block", min=0, help="First block to read again.")],
    yes: Yes = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Read blocks again from a number on. Harmless: what was seen is recognised by its transaction and log."""

    async def act() -> None:
        from storage import operator

        found = context.settings(data_dir)
        async with context.opened(found) as parts:
            state = await operator.chain_state(parts.pool, found.arbitrum_chain_id)
            floor = await _floor(found, state, (await parts.chain.head()).latest.number)
            if from_block < floor:
                raise Rejected("conflict", f"reading began at block {floor}: transfers before it are not in the books, "
                               "and must not be (SCANNER_START_BLOCK declares an earlier beginning)")  # fmt: skip
            await _move_back(parts, state, from_block, f"rescan from {from_block}", yes=yes, as_json=as_json)

    context.run(act)


def backfill(
    hours: Annotated[float, typer.Option(min=0.01, help="How far back, by the chain's own timestamps.")],
    yes: Yes = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Have the scanner read the last hours of the chain again. Harmless: what was seen is recognised."""

    async def act() -> None:
        from cli.blocks import first_block_at, node_of, timestamp
        from storage import operator

        found = context.settings(data_dir)
        async with context.opened(found) as parts:
            state = await operator.chain_state(parts.pool, found.arbitrum_chain_id)
            head = (await parts.chain.head()).latest.number
            node = node_of(found)
            try:
                with progress("looking for the block"):
                    newest = await timestamp(node, head)
                    wanted = await first_block_at(node, (newest or 0) - int(hours * 3600), head)
            finally:
                await node.aclose()
            first = max(wanted, await _floor(found, state, head))
            await _move_back(parts, state, first, f"backfill of {hours:g} h", yes=yes, as_json=as_json)

    context.run(act)


async def _floor(found: WorkerSettings, state: ChainState, head: int) -> int:
    """The first block this installation ever read: proved by rows, declared by settings, or dated by the cursor."""
    from cli.blocks import first_block_at, node_of

    declared = [] if found.scanner_start_block is None else [found.scanner_start_block]
    node = node_of(found)
    try:
        dated = await first_block_at(node, int(state.started_at.timestamp()), head)
    finally:
        await node.aclose()
    return min([state.lowest_read, dated, *declared])


async def _move_back(parts: Parts, state: ChainState, first: int, cause: str, *, yes: bool, as_json: bool) -> None:
    from storage import operator

    if first >= state.next_block:
        raise Rejected("conflict", f"nothing to read again: the cursor stands at block {state.next_block}")
    last = state.next_block - 1
    if not agreed(yes, [f"read blocks {first} to {last} again ({last - first + 1} blocks)"], as_json=as_json):
        return
    stood = await operator.move_cursor_back(parts.pool, principal(), state.chain_id, first, cause)
    if as_json:
        print_json({"from_block": first, "to_block": stood - 1})
