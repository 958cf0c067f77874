/* Where sales graduate to and with how much: as domain/launchpad/graduation.py, where the reasons stand. */
#ifndef GRADUATION_H
#define GRADUATION_H
#include "curve.h"
#include "transfer_fee.h"

#define LIQUIDITY_BPS 7000
#define POOL_LEAST 1000000ULL /* lamports · tokens; a pool keeps 100 of the square root to itself */

/* Raydium's constant-product program. */
/* CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C */
static const u8 POOL_ON_MAINNET[32] = {
    0xa9, 0x2a, 0x5a, 0x8b, 0x4f, 0x29, 0x59, 0x52, 0x84, 0x25, 0x50, 0xaa, 0x93, 0xfd, 0x5b, 0x95,
    0xb5, 0xac, 0xe6, 0xa8, 0xeb, 0x92, 0x0c, 0x93, 0x94, 0x2e, 0x43, 0x69, 0x0c, 0x20, 0xec, 0x73};
/* DRaycpLY18LhpbydsBWbVJtxpNv9oXPgjRSfpF2bWpYb */
static const u8 POOL_ON_DEVNET[32] = {
    0xb8, 0x98, 0x99, 0x79, 0x2d, 0xca, 0x52, 0x34, 0x79, 0x6f, 0xe7, 0x74, 0x62, 0xb0, 0x31, 0xdf,
    0x46, 0x3f, 0x5f, 0xfe, 0xae, 0x36, 0x7c, 0x5c, 0x0f, 0xfb, 0x24, 0x6e, 0x1c, 0xb7, 0xce, 0x0c};
/* The stand-in of local nets (programs/pool) at sha256("holdfast local pool"); nobody has a key to that address:
 * AwUceQLyXXnHJXTPawF29Y3FWVJNW87VggtcNQZaTGXF */
static const u8 POOL_ON_LOCALNET[32] = {
    0x93, 0xad, 0xc5, 0x19, 0x4e, 0x0c, 0xd4, 0x87, 0x7b, 0x86, 0xf0, 0x03, 0x23, 0x7a, 0x34, 0x7b,
    0x79, 0xd0, 0x38, 0x80, 0x3c, 0xb0, 0x4b, 0xa6, 0x26, 0x01, 0x97, 0x7f, 0x57, 0x26, 0xc8, 0x56};
#define IS_AMM_CONFIG 0x6f2bcbcb6821f4daULL

typedef struct {
    u64 sold, raised;
    u64 available; /* base units the pool may have */
} Reached;

typedef struct {
    u64 lamports, tokens; /* what the pool shall receive; 0: it would be too small to be made */
    u64 first, sent;      /* base units that must reach our own account, and leave the vault for that */
} Plan;

/* Tokens beside the liquidity share of `raised` at the final price, and what the mint's fee adds on two transfers.
 * They fit 64 bits: the price only rises, so C(s) is at most s at the last price, of which this is 70 %. */
OWN_FRAME void plan_pool(Plan *plan, const Curve *curve, const Reached *end, const Fee *fee) {
    u64 rest, price = spot(curve, end->sold);
    plan->lamports = part_of(end->raised, LIQUIDITY_BPS);
    u128 worth = mul64(plan->lamports, 1000000000ULL * power10(curve->decimals));
    plan->tokens = div128(worth.hi, worth.lo, price, &rest);
    plan->first = before_fee(fee, plan->tokens);
    plan->sent = before_fee(fee, plan->first);
}

/* No more than there is, and nothing when no pool could be made of it. */
INLINE void fit_pool(Plan *plan, u64 available, const Fee *fee) {
    if (plan->sent > available) {
        plan->sent = available;
        plan->first = after_fee(fee, plan->sent);
        plan->tokens = after_fee(fee, plan->first);
    }
    u128 product = mul64(plan->lamports, plan->tokens);
    if (!product.hi && product.lo < POOL_LEAST) *plan = (Plan){0, 0, 0, 0};
}

#endif
