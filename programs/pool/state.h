/* The accounts of the pool program, as Raydium CPMM lays them out: packed, so that borsh and C agree. */
#ifndef STATE_H
#define STATE_H
#include "interface.h"

#include "../shared/tokens.h"

typedef struct __attribute__((packed)) {
    u64 tag;
    u8 bump, closed; /* closed: no new pools */
    u16 index;
    u64 trade_fee_rate, protocol_fee_rate, fund_fee_rate, create_pool_fee;
    u8 protocol_owner[32], fund_owner[32];
    u64 padding[16];
} AmmConfig;
_Static_assert(sizeof(AmmConfig) == AMM_CONFIG_SIZE, "AmmConfig is not what idl.json says");

typedef struct __attribute__((packed)) {
    u64 tag;
    u8 amm_config[32], creator[32], vault[2][32], lp_mint[32], mint[2][32], program[2][32], observation[32];
    u8 auth_bump, status, lp_decimals, decimals[2];
    u64 lp_supply, protocol_fees[2], fund_fees[2], open_time, recent_epoch, padding[31];
} PoolState;
_Static_assert(sizeof(PoolState) == POOL_STATE_SIZE, "PoolState is not what idl.json says");

typedef struct __attribute__((packed)) {
    u64 tag;
    u8 initialized;
    u16 index;
    u8 pool[32];
} ObservationHead;

/* Every rate is in millionths; protocol and fund take theirs of the trade fee. */
#define RATE_WHOLE 1000000ULL

INLINE u64 check_config(const Account *config, const u8 *program) {
    NEED(same(config->owner, program), WRONG_OWNER);
    return config->size == AMM_CONFIG_SIZE && read64(config->data) == IS_AMM_CONFIG ? 0 : WRONG_KIND;
}

INLINE u64 check_authority(const Call *call, u64 index, u8 *bump) {
    Bytes seed = {(const u8 *)"vault_and_lp_mint_auth_seed", 27};
    return check_derived(call, index, &seed, 1, bump);
}

INLINE u64 check_token_account(const Account *a, const u8 *program) {
    NEED(same(a->owner, program), WRONG_OWNER);
    return a->size >= TOKEN_ACCOUNT_SIZE ? 0 : WRONG_KIND;
}

#endif
