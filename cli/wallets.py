"""`holdfast chain wallets` and `chain resume-wallet`: our wallets' nonces, ours against the chain's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from cli import context
from cli.context import DataDir
from cli.failures import principal
from cli.output import Json, Yes, agreed, out, print_json, table
from domain.shared.errors import Rejected

if TYPE_CHECKING:
    from composition.parts import Parts
    from settings import WorkerSettings
    from storage.operator_wallets import WalletState


class Used(NamedTuple):
    """How many nonces of a wallet are used: by mined, and by finalized transactions."""

    mined: int
    finalized: int


def wallets(as_json: Json = False, data_dir: DataDir = None) -> None:
    """What our wallets hold, and whether somebody else used their nonces."""

    async def read() -> list[dict[str, Any]]:
        found = context.settings(data_dir)
        async with context.opened(found) as parts:
            return await _listed(parts, found)

    rows = context.run(read)
    if as_json:
        print_json({"items": rows})
    else:
        out.print(table([name.replace("_", " ") for name in rows[0]], [list(row.values()) for row in rows]))


async def _listed(parts: Parts, found: WorkerSettings) -> list[dict[str, Any]]:
    from composition import custody
    from domain.shared.money import ETH_DECIMALS, format_amount, format_usdc
    from storage import operator_wallets

    ours, token = custody.wallets(found), found.usdc_contract_address.lower()
    states = await operator_wallets.wallets(parts.pool, found.arbitrum_chain_id, ours)
    addresses = [state.address for state in states] + ([ours.cold] if ours.cold else [])
    wei = await parts.chain.eth_balances(addresses)
    micros = await parts.chain.token_balances(token, addresses, None)
    rows = []
    for state, eth, usdc in zip(states, wei, micros, strict=False):
        used = await _used(parts, state.address)
        rows.append(
            {
                "wallet": state.role,
                "address": state.address,
                "eth": format_amount(eth, ETH_DECIMALS),
                "usdc": format_usdc(usdc),
                "next_nonce": state.next_nonce,
                "chain_nonce": used.mined,
                "finalized_nonce": used.finalized,
                "under_way": state.under_way,
                "state": _verdict(state, used),
            }
        )
    if ours.cold:
        blank = dict.fromkeys(("next_nonce", "chain_nonce", "finalized_nonce", "under_way"))
        held = {"eth": format_amount(wei[-1], ETH_DECIMALS), "usdc": format_usdc(micros[-1])}
        rows.append({"wallet": "cold", "address": ours.cold, **held, **blank, "state": "signs elsewhere"})
    return rows


async def _used(parts: Parts, address: str) -> Used:
    head = await parts.chain.head()
    return Used(
        await parts.chain.transaction_count(address),
        await parts.chain.transaction_count(address, block_number=head.finalized),
    )


def _drift(state: WalletState, used: Used) -> range:
    """Nonces that were used by transactions we did not sign; empty when the signer can go on."""
    return range(used.mined if state.next_nonce is None else state.next_nonce, used.mined)


def _words(drift: range) -> str:
    return f"nonce {drift[0]}" if len(drift) == 1 else f"nonces {drift[0]} to {drift[-1]}"


def _verdict(state: WalletState, used: Used) -> str:
    if state.halted_reason:
        return f"halted: {state.halted_reason}"
    drift = _drift(state, used)
    return f"drift: {_words(drift)} not ours" if drift else "ok"


def resume_wallet(
    address: Annotated[str, typer.Argument(help="The wallet, as `chain wallets` or the alert names it.")],
    yes: Yes = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Let the signer go on after nonces that others used, and wake the processes that wait. Only once it is known who
    used the key (runbook nonce_drift).
    """

    async def act() -> None:
        found = context.settings(data_dir)
        async with context.opened(found) as parts:
            await _resume(parts, found, address.strip().lower(), yes=yes, as_json=as_json)

    context.run(act)


async def _resume(parts: Parts, found: WorkerSettings, address: str, *, yes: bool, as_json: bool) -> None:
    from composition import custody
    from domain.shared.processes import RetryProcess
    from storage import operator_wallets

    chain_id = found.arbitrum_chain_id
    await parts.chain.check_chain()
    state = await operator_wallets.wallet(parts.pool, chain_id, custody.wallets(found), address)
    used = await _used(parts, address)
    drift = _drift(state, used)
    _check(state, used, drift)
    waiting = await operator_wallets.waiting(parts.pool, state)
    plan = [f"clear the halt: {state.halted_reason}"] if state.halted_reason else []
    if drift:
        plan.append(f"go on with nonce {used.mined}: {_words(drift)} of {address} ({state.role}) used, not by us")
    plan += [f"send the signal `retry` to {name}, which ends its alert" for name in waiting]
    if not agreed(yes, plan, as_json=as_json):
        return
    nonce = await operator_wallets.resume_wallet(parts.pool, principal(), chain_id, state, mined=used.mined)
    poke = RetryProcess(cause=principal())
    woken = [name for name in waiting if await parts.processes.signal(name, "retry", poke)]
    if as_json:
        print_json({"address": address, "next_nonce": nonce, "retried": woken})


def _check(state: WalletState, used: Used, drift: range) -> None:
    if state.next_nonce is None:
        raise Rejected("conflict", f"{state.address} has never signed: nothing to resume")
    if not drift and not state.halted_reason:
        raise Rejected(
            "conflict", f"nothing to resume: we go on with nonce {state.next_nonce}, the chain has used {used.mined}"
        )
    if drift and used.finalized < used.mined:
        raise Rejected(
            "conflict",
            f"the transaction with nonce {used.mined - 1} is not finalized yet, and could still vanish: "
            "wait, then ask again",
        )
