/* initialize: a pool of two tokens, made and filled by its creator. */
#ifndef INITIALIZE_H
#define INITIALIZE_H
#include "state.h"

enum { I_CREATOR, I_CONFIG, I_AUTHORITY, I_POOL, I_MINT0, I_MINT1, I_LP_MINT, I_TOKENS0, I_TOKENS1, I_LP, I_VAULT0, I_VAULT1,
       I_FEE, I_OBSERVATION, I_TOKEN_PROGRAM, I_PROGRAM0, I_PROGRAM1, I_ASSOCIATED, I_SYSTEM, I_RENT };

#define EXTENSIONS_AT 166
#define FEE_ACCOUNT_SIZE 178 /* a token account with room for withheld fees */
#define LP_DECIMALS 9
#define LP_LOCKED 100

/* An address of this program under `pool`, opened for `owner` with the creator's lamports. */
OWN_FRAME u64 open_part(const Call *call, Opening *opening, Bytes *seeds, u64 count) {
    u8 bump;
    Signer signer = {seeds, count + 1};
    Signers by = {&signer, 1};
    TRY(check_derived(call, opening->index, seeds, count, &bump));
    seeds[count] = (Bytes){&bump, 1};
    return open_account(call, opening, &by);
}

/* The canonical address, or any other that signs: so nobody can occupy the address a creator depends on. */
OWN_FRAME u64 open_pool(const Call *call) {
    const Account *a = call->account;
    Opening opening = {I_CREATOR, I_POOL, POOL_STATE_SIZE, call->program};
    Bytes seeds[5] = {
        {(const u8 *)"pool", 4}, {a[I_CONFIG].key, 32}, {a[I_MINT0].key, 32}, {a[I_MINT1].key, 32}, {0, 0}};
    if (a[I_POOL].signer) return open_account(call, &opening, &NOBODY);
    return open_part(call, &opening, seeds, 4);
}

/* Token-2022 mints may have: transfer fee, metadata and its pointer, interest, scaled amounts. */
OWN_FRAME u64 check_supported(const Account *mint, u64 *account_size) {
    *account_size = TOKEN_ACCOUNT_SIZE;
    if (same(mint->owner, TOKEN_PROGRAM)) return mint->size == MINT_SIZE ? 0 : NOT_SUPPORT_MINT;
    NEED(same(mint->owner, TOKEN_2022_PROGRAM), NOT_SUPPORT_MINT);
    NEED(mint->size == MINT_SIZE || (mint->size > EXTENSIONS_AT && mint->data[EXTENSIONS_AT - 1] == 1), NOT_SUPPORT_MINT);
    for (u64 at = EXTENSIONS_AT; at + 4 <= mint->size; at += 4 + read16(mint->data + at + 2)) {
        u16 kind = read16(mint->data + at);
        if (kind == 0) break;
        if (kind == 1) *account_size = FEE_ACCOUNT_SIZE;
        NEED(kind == 1 || kind == 10 || kind == 18 || kind == 19 || kind == 25, NOT_SUPPORT_MINT);
    }
    return 0;
}

/* The vault of one side, filled: `received` is what arrived. */
OWN_FRAME u64 fill_vault(const Call *call, u64 side, u64 amount, u64 *received) {
    const Account *a = call->account, *mint = &a[I_MINT0 + side];
    Route route = {I_TOKENS0 + side, I_MINT0 + side, I_VAULT0 + side, I_CREATOR, I_PROGRAM0 + side};
    Opening opening = {I_CREATOR, route.to, 0, a[route.program].key};
    Bytes seeds[4] = {{(const u8 *)"pool_vault", 10}, {a[I_POOL].key, 32}, {mint->key, 32}, {0, 0}};
    u8 data[33] = {18}; /* InitializeAccount3 */
    Meta metas[2] = {{a[route.to].key, 1, 0}, {mint->key, 0, 0}};
    Instruction ix = {a[route.program].key, metas, 2, data, sizeof data};
    NEED(same(mint->owner, a[route.program].key), INVALID_OWNER);
    TRY(check_supported(mint, &opening.size));
    TRY(open_part(call, &opening, seeds, 3));
    copy_key(data + 1, a[I_AUTHORITY].key);
    TRY(invoke(call, &ix, &NOBODY));
    NEED(amount, INVALID_INPUT);
    TRY(move_tokens(call, &route, amount, mint->data[44], &NOBODY));
    *received = token_amount(&a[route.to]);
    return 0;
}

INLINE u64 square_root(u128 of) {
    u64 root = 0;
    for (u32 bit = 64; bit-- > 0;) {
        u64 trial = root | 1ULL << bit;
        if (!less128(of, mul64(trial, trial))) root = trial;
    }
    return root;
}

/* The claim on the pool: the root of the product, of which a hundred belong to nobody. */
OWN_FRAME u64 issue_claim(const Call *call, u64 supply, u8 auth_bump) {
    static const Route route = {I_LP, I_LP_MINT, I_LP, I_AUTHORITY, I_TOKEN_PROGRAM};
    static const Route own = {I_LP, I_LP_MINT, I_LP, I_CREATOR, I_TOKEN_PROGRAM};
    const Account *a = call->account;
    Opening opening = {I_CREATOR, I_LP_MINT, MINT_SIZE, TOKEN_PROGRAM};
    Bytes part[3] = {{(const u8 *)"pool_lp_mint", 12}, {a[I_POOL].key, 32}, {0, 0}};
    Bytes seeds[2] = {{(const u8 *)"vault_and_lp_mint_auth_seed", 27}, {&auth_bump, 1}};
    Signer signer = {seeds, 2};
    Signers authority = {&signer, 1};
    u8 data[35] = {20, LP_DECIMALS}; /* InitializeMint2, no freeze authority */
    Meta meta = {a[I_LP_MINT].key, 1, 0};
    Instruction ix = {TOKEN_PROGRAM, &meta, 1, data, sizeof data};
    NEED(supply > LP_LOCKED, INIT_LP_AMOUNT_TOO_LESS);
    TRY(open_part(call, &opening, part, 2));
    copy_key(data + 2, a[I_AUTHORITY].key);
    TRY(invoke(call, &ix, &NOBODY));
    TRY(open_associated(call, &own, 0, &NOBODY));
    return change_supply(call, TOKEN_MINT_TO, &route, supply - LP_LOCKED, &authority);
}

/* Room for prices over time, as Raydium has it; this stand-in writes none. */
OWN_FRAME u64 open_observation(const Call *call) {
    const Account *a = call->account;
    Opening opening = {I_CREATOR, I_OBSERVATION, OBSERVATION_STATE_SIZE, call->program};
    Bytes seeds[3] = {{(const u8 *)"observation", 11}, {a[I_POOL].key, 32}, {0, 0}};
    TRY(open_part(call, &opening, seeds, 2));
    ObservationHead *head = (ObservationHead *)a[I_OBSERVATION].data;
    head->tag = IS_OBSERVATION_STATE;
    copy_key(head->pool, a[I_POOL].key);
    return 0;
}

OWN_FRAME u64 charge_fee(const Call *call) {
    const AmmConfig *config = (const AmmConfig *)call->account[I_CONFIG].data;
    Bytes seed = {(const u8 *)"create_pool_fee", 15};
    u8 bump;
    TRY(check_derived(call, I_FEE, &seed, 1, &bump));
    return pay_in(call, I_CREATOR, I_FEE, config->create_pool_fee, &NOBODY);
}

INLINE u8 in_order(const u8 *first, const u8 *second) {
    u32 i = 0;
    while (i < 31 && first[i] == second[i]) i++;
    return first[i] < second[i];
}

OWN_FRAME void fill_pool(const Call *call, u64 supply, u64 open_time, u8 auth_bump) {
    const Account *a = call->account;
    PoolState *pool = (PoolState *)a[I_POOL].data;
    u64 clock[5];
    sol_get_clock_sysvar(clock);
    pool->tag = IS_POOL_STATE;
    copy_key(pool->amm_config, a[I_CONFIG].key);
    copy_key(pool->creator, a[I_CREATOR].key);
    copy_key(pool->lp_mint, a[I_LP_MINT].key);
    copy_key(pool->observation, a[I_OBSERVATION].key);
    for (u32 side = 0; side < 2; side++) {
        copy_key(pool->vault[side], a[I_VAULT0 + side].key);
        copy_key(pool->mint[side], a[I_MINT0 + side].key);
        copy_key(pool->program[side], a[I_PROGRAM0 + side].key);
        pool->decimals[side] = a[I_MINT0 + side].data[44];
    }
    pool->auth_bump = auth_bump;
    pool->lp_decimals = LP_DECIMALS;
    pool->lp_supply = supply;
    pool->open_time = open_time > clock[4] ? open_time : clock[4] + 1;
    pool->recent_epoch = clock[2];
}

OWN_FRAME u64 initialize(const Call *call, const u8 *at, u64 size) {
    const Account *a = call->account;
    u64 received[2];
    u8 bump;
    NEED(size == 24, BAD_DATA);
    NEED(a[I_CREATOR].signer, NOT_SIGNER);
    TRY(check_config(&a[I_CONFIG], call->program));
    NEED(!((const AmmConfig *)a[I_CONFIG].data)->closed, NOT_APPROVED);
    TRY(check_authority(call, I_AUTHORITY, &bump));
    NEED(in_order(a[I_MINT0].key, a[I_MINT1].key), INVALID_INPUT);
    NEED(same(a[I_TOKEN_PROGRAM].key, TOKEN_PROGRAM) && same(a[I_RENT].key, RENT_SYSVAR), WRONG_ADDRESS);
    TRY(open_pool(call));
    for (u64 side = 0; side < 2; side++) TRY(fill_vault(call, side, read64(at + 8 * side), &received[side]));
    u64 supply = square_root(mul64(received[0], received[1]));
    TRY(issue_claim(call, supply, bump));
    TRY(open_observation(call));
    TRY(charge_fee(call));
    fill_pool(call, supply, read64(at + 16), bump);
    return 0;
}

#endif
