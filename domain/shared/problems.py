"""Every stable error code: its HTTP status and one sentence for whoever meets it (served at /api/problems/{code})."""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    status: int
    title: str
    advice: str


PROBLEMS: dict[str, Problem] = {
    # the request itself
    "malformed_request": Problem(400, "The body is not valid JSON.", "Send one JSON object, UTF-8."),
    "validation_failed": Problem(400, "A field is missing, unknown or out of range.", "`errors` points at each field."),
    "amount_precision": Problem(
        400, "More decimals than the unit has.", "USDC has 6 decimals; amounts are never rounded for you."
    ),
    "idempotency_key_required": Problem(
        400,
        "This route needs an Idempotency-Key header.",
        "Send a key of 1 to 255 visible ASCII characters, unique per intent.",
    ),
    "asset_unreadable": Problem(400, "Not a PNG, GIF or JPEG we can read.", "Send another picture."),
    "invalid_cursor": Problem(400, "The cursor was not issued by this list.", "Start again without a cursor."),
    "invalid_address": Problem(
        400,
        "Not an EVM address, or its EIP-55 checksum is wrong.",
        "Copy the address again; mixed case must match the checksum.",
    ),
    "unauthorized": Problem(401, "No valid API key or session.", "Send Authorization: Bearer hf_… ."),
    "invalid_credentials": Problem(
        401, "E-mail and password do not match.", "Check both; ten tries a minute per address."
    ),
    "forbidden": Problem(
        403,
        "The key lacks the scope, or the thing belongs to another account.",
        "Ask an administrator for a key with the scope named in `detail`.",
    ),
    "csrf_failed": Problem(
        403,
        "The session's CSRF token is missing or wrong.",
        "Send X-CSRF-Token with the value of the hf_csrf cookie.",
    ),
    "self_approval": Problem(403, "The requester may not approve.", "Another operator must approve."),
    "not_found": Problem(404, "No such thing, or not yours to see.", "Check the id."),
    "method_not_allowed": Problem(405, "The route does not know this method.", "See the Allow header and /api/docs."),
    "not_acceptable": Problem(
        406, "This list cannot be given in that media type.", "Ask for application/json or text/csv."
    ),
    "payload_too_large": Problem(413, "The body is larger than this route takes.", "The limit is in `detail`."),
    "unsupported_media_type": Problem(
        415, "The body has the wrong media type.", "Send application/json, or the form that the route names."
    ),
    "idempotency_key_reused": Problem(422, "The same key came with another body.", "Use a new key for a new intent."),
    "rate_limited": Problem(429, "Too many requests.", "Wait Retry-After seconds."),
    # valid, but refused by state, balance or limit
    "asset_limit": Problem(409, "The account has as many pictures as it may have.", "Use one of them again."),
    "asset_too_large": Problem(413, "A picture may have 5 MB.", "Send a smaller one."),
    "launch_refused": Problem(409, "The launch cannot be made as asked.", "`detail` names the rule."),
    "launch_not_cancellable": Problem(
        409,
        "The launch cannot be cancelled any more.",
        "It has ended, or its mint is signed: then it only goes forward.",
    ),
    "launch_not_parked": Problem(409, "The launch does not wait for anybody.", "Look at its status."),
    "signature_not_awaited": Problem(409, "No signature is awaited here.", "Ask for the transaction first."),
    "transaction_altered": Problem(409, "Not the transaction that was issued.", "Sign the issued bytes unchanged."),
    "transaction_expired": Problem(409, "The transaction can no longer land.", "Ask for a new one."),
    "transaction_failed": Problem(409, "The chain refused the transaction.", "`detail` carries the chain's reason."),
    "sale_not_open": Problem(409, "The sale takes no such act now.", "See its status."),
    "tokens_missing": Problem(
        409, "These tokens are not there to be sold.", "Claim what was bought before the soft cap, or sell less."
    ),
    "sale_slippage": Problem(409, "The price moved beyond the limit.", "Ask for a new quote."),
    "payment_not_found": Problem(409, "No such payment on the chain.", "Pay first; then give the signature."),
    "payment_used": Problem(409, "This payment was used already.", "A payment pays once."),
    "mint_not_pump_native": Problem(409, "Pump.fun makes its own mint.", "Choose it at launch."),
    "idempotency_in_flight": Problem(
        409,
        "The first request with this key is still being answered.",
        "Ask again shortly with the same key.",
    ),
    "insufficient_funds": Problem(
        409, "The available balance is smaller than the amount.", "See /api/accounts/{id}/balances."
    ),
    "amount_below_minimum": Problem(409, "The amount is below the minimum.", "The minimum is in `detail`."),
    "account_daily_limit": Problem(
        409, "The account's limit for 24 hours would be passed.", "Wait, or ask an operator."
    ),
    "platform_daily_limit": Problem(
        409,
        "The platform's limit for 24 hours would be passed.",
        "Wait for the 24 hours to pass; operators are told from four fifths of it on.",
    ),
    "destination_not_allowed": Problem(
        409,
        "Money cannot be sent to this address.",
        "The zero address, the token contract and the platform's own addresses are refused.",
    ),
    "withdrawals_disabled": Problem(
        409,
        "Withdrawals are switched off.",
        "Nothing was taken. Ask again later; operators see who switched them off, and why, at /api/system/controls.",
    ),
    "not_cancellable": Problem(409, "It is signed already, or ended.", "See its status."),
    "not_approvable": Problem(409, "It does not wait for approval.", "See its status."),
    "not_correctable": Problem(
        409,
        "This account or unit is not corrected by hand.",
        "USDC can be moved between users' available balances, platform:fees, platform:treasury and an asset's lp_fees.",
    ),
    "not_retryable": Problem(
        409, "Only an operation that needs an operator or has failed can be retried.", "See its status."
    ),
    "send_refused": Problem(
        409,
        "The chain's node refuses this transaction for good.",
        "`reason` says why: nonce_too_low, underpriced, insufficient_gas_funds, reverts or other.",
    ),
    "asset_not_active": Problem(409, "The asset is not open for trading.", "See its status."),
    "asset_halted": Problem(409, "Trading in this asset is halted.", "It resumes by itself; see the asset."),
    "trading_disabled": Problem(409, "Trading is switched off.", "See /api/system/controls."),
    "amount_too_small": Problem(409, "The amount buys or brings nothing after fee.", "Trade more."),
    "slippage_exceeded": Problem(409, "The price moved past the limit given.", "Ask for a new quote."),
    "circuit_breaker": Problem(
        409, "The order would move the price further than the asset's breaker allows in a minute.", "Trade less."
    ),
    "symbol_taken": Problem(409, "Another asset has this symbol.", "Choose another one."),
    "funding_closed": Problem(409, "The asset takes no contributions any more.", "See its status."),
    "hard_cap_exceeded": Problem(409, "The contribution would pass the hard cap.", "What is left is in `detail`."),
    "not_vested": Problem(409, "The amount is more than what has vested.", "The next vesting date is in `detail`."),
    "nothing_to_claim": Problem(409, "No fees have been earned since the last claim.", "Come back after trades."),
    "not_halted": Problem(409, "The asset is not halted.", "See its status."),
    "upstream_refused": Problem(
        409, "An upstream refuses our request: its key, its quota or its form.", "Runbook oracle_degraded."
    ),
    "payload_keys_missing": Problem(
        409,
        "Workflow payloads are not encrypted here.",
        "Set PAYLOAD_KEYS to encrypt them; without it the Temporal UI needs no codec.",
    ),
    "correction_failed": Problem(
        409, "The books refused an approved correction.", "`failure_code` says why; runbook correction_failed."
    ),
    "email_taken": Problem(409, "Another account uses this e-mail.", "Use another one."),
    "already_followed": Problem(409, "This wallet is followed already.", "The user's id is in `detail`."),
    "profile_not_found": Problem(
        409, "The venue knows no such profile.", "Give the profile's URL, its exact name, or the wallet's address."
    ),
    "position_not_held": Problem(409, "The portfolio holds no shares of this token.", "See its positions."),
    "not_settled": Problem(409, "The portfolio still has decisions outstanding.", "Pause copying and ask again."),
    "conflict": Problem(409, "The state changed in between.", "Read it again."),
    # time must act
    "unavailable": Problem(503, "A part of the system is away.", "Ask again after Retry-After seconds."),
    "database_unavailable": Problem(503, "Postgres does not answer.", "Ask again; nothing was changed."),
    "temporal_unavailable": Problem(
        503, "The workflow service does not answer.", "Ask again; intents already accepted will run."
    ),
    "chain_unavailable": Problem(503, "The chain's node does not answer.", "Ask again."),
    "chain_lagging": Problem(503, "The chain's node is behind, or two nodes disagree.", "Ask again."),
    "hot_wallet_low": Problem(503, "The hot wallet is short of USDC.", "A sweep is under way; runbook hot_wallet_low."),
    "gas_wallet_low": Problem(503, "A wallet is short of gas.", "Runbook gas_wallet_low."),
    "webhook_failing": Problem(503, "The receiver did not answer 2xx.", "Delivery is retried for three days."),
    "search_unavailable": Problem(
        503, "The web search does not answer.", "The oracle tries again; runbook oracle_degraded."
    ),
    "model_unavailable": Problem(
        503, "The language model does not answer.", "The oracle tries again; runbook oracle_degraded."
    ),
    "venue_unavailable": Problem(
        503, "Polymarket does not answer.", "Polling goes on with growing waits; runbook feed_stuck."
    ),
    "venue_rate_limited": Problem(503, "Polymarket limits our requests.", "Runbook venue_rate_limited."),
    "polygon_unavailable": Problem(
        503, "The Polygon node does not answer.", "Polls go on without its hints; runbook websocket_down."
    ),
    "solana_unavailable": Problem(503, "No Solana node answers.", "Nothing is lost; runbook solana_unavailable."),
    "solana_day_limit": Problem(
        503, "The platform's Solana wallet has spent what it may in 24 hours.", "It goes on by itself; see the runbook."
    ),
    "pinning_unavailable": Problem(503, "The pinning node does not answer.", "Tried again; runbook launch_parked."),
    "mirror_unavailable": Problem(503, "Arweave's bundler or gateway does not answer.", "Runbook mirror_behind."),
    "launchpad_off": Problem(503, "This installation has no launchpad.", "SOLANA_RPC_URL is not set."),
    "quarantined": Problem(
        503, "An upstream sent a shape we do not know; it is kept in quarantine.", "Runbook quarantine."
    ),
    # an operator must act
    "internal_error": Problem(500, "A defect in Holdfast.", "Quote `trace_id`."),
    "pin_mismatch": Problem(500, "A file on IPFS has another name than it must.", "Runbook pin_mismatch."),
    "launch_parked": Problem(500, "A launch waits for an operator.", "Runbook launch_parked."),
    "transaction_not_landing": Problem(500, "A transaction does not land.", "Runbook transaction_not_landing."),
    "graduation_stuck": Problem(500, "A sale cannot graduate.", "Runbook graduation_stuck."),
    "refund_stuck": Problem(500, "A buyer's refund does not land.", "Runbook refund_stuck."),
    "promo_refund_stuck": Problem(500, "A promotion's payment cannot be paid back.", "Runbook promo_refund_stuck."),
    "vesting_stuck": Problem(500, "What vested cannot be paid to a team.", "Runbook vesting_stuck."),
    "payer_float_low": Problem(500, "The platform's wallet runs out of SOL.", "Runbook payer_float_low."),
    "deployment_stuck": Problem(500, "A program cannot be published.", "Runbook deployment_stuck."),
    "chain_differs": Problem(500, "The books and Solana differ.", "Runbook chain_differs."),
    "ledger_mismatch": Problem(500, "The books do not add up.", "Withdrawals are stopped; runbook ledger_mismatch."),
    "insolvent": Problem(500, "Custody does not cover the liabilities.", "Withdrawals are stopped; runbook insolvent."),
    "deep_reorg": Problem(
        500,
        "The chain went back below its own finality, or took back a credited deposit.",
        "The chain is stopped; runbook deep_reorg.",
    ),
    "nonce_drift": Problem(
        500,
        "A nonce of ours was used by a transaction we did not sign.",
        "The wallet is stopped; runbook nonce_drift.",
    ),
    "stuck_withdrawal": Problem(500, "The money's way is not certain.", "The hold stays; runbook stuck_withdrawal."),
    "wrong_chain": Problem(
        500,
        "The node serves another chain than configured.",
        "Correct ARBITRUM_RPC_URL or ARBITRUM_CHAIN_ID; of Solana SOLANA_RPC_URL or SOLANA_CLUSTER.",
    ),
    "process_gone": Problem(500, "An operation is open and nothing carries it on.", "Runbook process_gone."),
    "engine_lagging": Problem(500, "Orders wait longer than they should.", "Runbook engine_lagging."),
    "funding_refund_stuck": Problem(500, "A refund of a funding round does not end.", "Runbook funding_refund_stuck."),
    "oracle_degraded": Problem(
        503,
        "No valid oracle signal could be had; the market price weighs 0.95 for an hour.",
        "Runbook oracle_degraded.",
    ),
    "breaker_tripped": Problem(503, "A price moved too far in a minute.", "Runbook breaker_tripped."),
    "feed_stuck": Problem(500, "Leaders' activity is not being read.", "Runbook feed_stuck."),
    "websocket_down": Problem(500, "The chain subscription is down or silent.", "Runbook websocket_down."),
    "shadow_drift": Problem(500, "A shadow disagrees with the venue's positions.", "Runbook shadow_drift."),
    "copy_undecidable": Problem(500, "A decision to copy or not cannot be made.", "Runbook copy_undecidable."),
    "chain_mismatch": Problem(500, "Chain and API disagree about a leader's fills.", "Runbook chain_mismatch."),
    "backup_failed": Problem(500, "The backup or its restore drill failed.", "Runbook backup_failed."),
    "history_mismatch": Problem(500, "A workflow's history does not fit its code.", "Runbook history_mismatch."),
}


def for_operators(code: str) -> str:
    """The code under which operators are called for a failure of this code: one that has a runbook.

    What is listed as somebody else's to act on, or not listed at all, should not have stopped anything: a defect.
    """
    known = PROBLEMS.get(code)
    return code if known is not None and known.status == 500 else "internal_error"
