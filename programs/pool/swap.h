/* swap_base_input: an exact amount in, along x · y = k. */
#ifndef SWAP_H
#define SWAP_H
#include "state.h"

enum { P_PAYER, P_AUTHORITY, P_CONFIG, P_POOL, P_IN, P_OUT, P_IN_VAULT, P_OUT_VAULT, P_IN_PROGRAM, P_OUT_PROGRAM, P_IN_MINT,
       P_OUT_MINT, P_OBSERVATION };
enum { SWAP_CLOSED = 4 };

typedef struct __attribute__((packed)) {
    u64 tag;
    u8 pool[32];
    u64 in_before, out_before, in, out, in_fee, out_fee;
    u8 base_input;
} SwapEvent;

/* Which side comes in, and that every account is the pool's. */
OWN_FRAME u64 check_sides(const Call *call, u32 *in) {
    const Account *a = call->account;
    const PoolState *pool = (const PoolState *)a[P_POOL].data;
    *in = same(a[P_IN_VAULT].key, pool->vault[0]) ? 0 : 1;
    u32 out = 1 - *in;
    NEED(same(a[P_IN_VAULT].key, pool->vault[*in]) && same(a[P_OUT_VAULT].key, pool->vault[out]), INVALID_VAULT);
    NEED(same(a[P_IN_MINT].key, pool->mint[*in]) && same(a[P_OUT_MINT].key, pool->mint[out]), INVALID_VAULT);
    NEED(same(a[P_IN_PROGRAM].key, pool->program[*in]) && same(a[P_OUT_PROGRAM].key, pool->program[out]), WRONG_ADDRESS);
    NEED(same(a[P_OBSERVATION].key, pool->observation), WRONG_ADDRESS);
    TRY(check_token_account(&a[P_IN], a[P_IN_PROGRAM].key));
    return check_token_account(&a[P_OUT], a[P_OUT_PROGRAM].key);
}

OWN_FRAME u64 check_swap(const Call *call, u8 *bump, u32 *in) {
    const Account *a = call->account;
    const PoolState *pool = (const PoolState *)a[P_POOL].data;
    TRY(check_ours(call, P_POOL, IS_POOL_STATE, POOL_STATE_SIZE));
    TRY(check_config(&a[P_CONFIG], call->program));
    NEED(a[P_PAYER].signer, NOT_SIGNER);
    NEED(same(a[P_CONFIG].key, pool->amm_config), WRONG_ADDRESS);
    NEED(!(pool->status & SWAP_CLOSED) && (u64)now() >= pool->open_time, NOT_APPROVED);
    TRY(check_authority(call, P_AUTHORITY, bump));
    return check_sides(call, in);
}

/* What the pool trades with: the vault without the fees that are not the pool's. */
INLINE u64 tradable(const PoolState *pool, const Account *vault, u32 side) {
    return token_amount(vault) - pool->protocol_fees[side] - pool->fund_fees[side];
}

/* Of `in`: the trade fee, rounded up; its parts for protocol and fund, rounded down; the rest buys, rounded down. */
OWN_FRAME u64 trade(PoolState *pool, const AmmConfig *config, SwapEvent *event, u32 side) {
    u64 rest;
    u128 scaled = mul64(event->in, config->trade_fee_rate);
    u64 fee = div128(scaled.hi, scaled.lo, RATE_WHOLE, &rest);
    if (rest) fee++;
    scaled = mul64(fee, config->protocol_fee_rate);
    pool->protocol_fees[side] += div128(scaled.hi, scaled.lo, RATE_WHOLE, &rest);
    scaled = mul64(fee, config->fund_fee_rate);
    pool->fund_fees[side] += div128(scaled.hi, scaled.lo, RATE_WHOLE, &rest);
    u64 net = event->in - fee;
    u128 product = mul64(net, event->out_before);
    event->out = div128(product.hi, product.lo, event->in_before + net, &rest);
    return event->out ? 0 : ZERO_TRADING_TOKENS;
}

OWN_FRAME u64 swap_base_input(const Call *call, const u8 *at, u64 size) {
    static const Route in = {P_IN, P_IN_MINT, P_IN_VAULT, P_PAYER, P_IN_PROGRAM};
    static const Route out = {P_OUT_VAULT, P_OUT_MINT, P_OUT, P_AUTHORITY, P_OUT_PROGRAM};
    const Account *a = call->account;
    SwapEvent event = {.tag = TELL_SWAP_EVENT, .base_input = 1};
    u8 bump;
    u32 side;
    NEED(size == 16, BAD_DATA);
    TRY(check_swap(call, &bump, &side));
    Bytes seeds[2] = {{(const u8 *)"vault_and_lp_mint_auth_seed", 27}, {&bump, 1}};
    Signer signer = {seeds, 2};
    Signers authority = {&signer, 1};
    PoolState *pool = (PoolState *)a[P_POOL].data;
    event.in_before = tradable(pool, &a[P_IN_VAULT], side);
    event.out_before = tradable(pool, &a[P_OUT_VAULT], 1 - side);
    u64 vault = token_amount(&a[P_IN_VAULT]);
    TRY(move_tokens(call, &in, read64(at), a[P_IN_MINT].data[44], &NOBODY));
    event.in = token_amount(&a[P_IN_VAULT]) - vault;
    event.in_fee = read64(at) - event.in;
    TRY(trade(pool, (const AmmConfig *)a[P_CONFIG].data, &event, side));
    u64 held = token_amount(&a[P_OUT]);
    TRY(move_tokens(call, &out, event.out, a[P_OUT_MINT].data[44], &authority));
    u64 received = token_amount(&a[P_OUT]) - held;
    event.out_fee = event.out - received;
    NEED(received && received >= read64(at + 8), EXCEEDED_SLIPPAGE);
    copy_key(event.pool, a[P_POOL].key);
    Bytes told = {(const u8 *)&event, SWAP_EVENT_EVENT_SIZE};
    sol_log_data(&told, 1);
    return 0;
}

#endif
