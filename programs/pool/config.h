/* create_amm_config: the one configuration there is. Anybody may make it, because nobody may choose what stands in it. */
#ifndef CONFIG_H
#define CONFIG_H
#include "state.h"

#define TRADE_FEE_RATE 2500ULL
#define PROTOCOL_FEE_RATE 120000ULL
#define FUND_FEE_RATE 40000ULL
#define CREATE_POOL_FEE 150000000ULL

enum { A_OWNER, A_CONFIG, A_SYSTEM };

OWN_FRAME u64 create_amm_config(const Call *call, const u8 *at, u64 size) {
    static const u8 index[2] = {0, 0}; /* big-endian in the seed */
    u8 bump;
    Bytes seeds[3] = {{(const u8 *)"amm_config", 10}, {index, 2}, {&bump, 1}};
    Signer signer = {seeds, 3};
    Signers by = {&signer, 1};
    Opening opening = {A_OWNER, A_CONFIG, AMM_CONFIG_SIZE, call->program};
    NEED(size == 34, BAD_DATA);
    NEED(call->account[A_OWNER].signer, NOT_SIGNER);
    NEED(!read16(at) && read64(at + 2) == TRADE_FEE_RATE && read64(at + 10) == PROTOCOL_FEE_RATE, INVALID_INPUT);
    NEED(read64(at + 18) == FUND_FEE_RATE && read64(at + 26) == CREATE_POOL_FEE, INVALID_INPUT);
    TRY(check_derived(call, A_CONFIG, seeds, 2, &bump));
    TRY(open_account(call, &opening, &by));
    AmmConfig *config = (AmmConfig *)call->account[A_CONFIG].data;
    config->tag = IS_AMM_CONFIG;
    config->bump = bump;
    config->trade_fee_rate = TRADE_FEE_RATE;
    config->protocol_fee_rate = PROTOCOL_FEE_RATE;
    config->fund_fee_rate = FUND_FEE_RATE;
    config->create_pool_fee = CREATE_POOL_FEE;
    return 0;
}

#endif
