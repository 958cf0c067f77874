/* graduate: the sale becomes a pool nobody can withdraw from, and what the team waits for. One transaction, by anybody. */
#ifndef GRADUATE_H
#define GRADUATE_H
#include "pooling.h"

enum { G_PAYER, G_SALE, G_MINT, G_VAULT, G_VESTING, G_CREATOR, G_POOL, G_POOL_PROGRAM, G_CONFIG, G_AUTHORITY, G_LP_MINT,
       G_SOL, G_TOKENS, G_LP, G_POOL_SOL, G_POOL_TOKENS, G_FEE, G_OBSERVATION, G_SOL_MINT, G_TOKEN_PROGRAM, G_SPL_TOKEN,
       G_ASSOCIATED, G_SYSTEM, G_RENT };

typedef struct {
    u64 tag;
    u8 sale[32], mint[32], pool[32];
    u64 raised, pooled_lamports, pooled_tokens, vested_lamports, vested_tokens, burned, lp_burned;
    i64 at;
} Graduated;

/* Latched and closed, or latched and ended; every account we do not leave to the pool program to check. */
OWN_FRAME u64 check_graduating(const Call *call, Hands *hands, i64 time) {
    const Account *a = call->account;
    TRY(check_sale(call, G_SALE));
    const Sale *sale = sale_at(call, G_SALE);
    NEED(a[G_PAYER].signer, NOT_SIGNER);
    TRY(check_vault_of(call, G_SALE, G_MINT, G_VAULT, G_TOKEN_PROGRAM));
    NEED(same(a[G_POOL_PROGRAM].key, sale->pool_program) && same(a[G_CONFIG].key, sale->amm_config), WRONG_ADDRESS);
    NEED(same(a[G_SOL_MINT].key, WRAPPED_SOL) && same(a[G_SPL_TOKEN].key, TOKEN_PROGRAM), WRONG_ADDRESS);
    NEED(sale->status == ACTIVE || sale->status == CLOSED, NOT_ACTIVE);
    NEED(sale->latched, NOT_LATCHED);
    NEED(sale->status == CLOSED || time >= sale->ends_at, NOT_ENDED);
    TRY(take_hand(hands, HAND_CREATOR, call, G_CREATOR, G_SALE));
    TRY(take_hand(hands, HAND_POOL, call, G_POOL, G_SALE));
    return take_hand(hands, HAND_VESTING, call, G_VESTING, G_SALE);
}

INLINE void plan_for(const Call *call, Plan *plan, u64 *unsold) {
    const Sale *sale = sale_at(call, G_SALE);
    Fee fee;
    Curve curve = curve_of(sale);
    Reached end = {sale->sold, sale->raised, sale->liquidity_supply + (sale->sale_supply - sale->sold)};
    *unsold = end.available;
    read_fee(&fee, &call->account[G_MINT]);
    plan_pool(plan, &curve, &end, &fee);
    fit_pool(plan, end.available, &fee);
}

/* The pool's SOL and tokens into our own two accounts: nothing else is within reach of the pool program. */
OWN_FRAME u64 fill_hands(const Call *call, const Plan *plan, const Signers *creator) {
    static const Route sol = {G_SALE, G_SOL_MINT, G_SOL, G_CREATOR, G_SPL_TOKEN};
    static const Route tokens = {G_VAULT, G_MINT, G_TOKENS, G_CREATOR, G_TOKEN_PROGRAM};
    static const Route out = {G_VAULT, G_MINT, G_TOKENS, G_SALE, G_TOKEN_PROGRAM};
    const Account *held = &call->account[G_TOKENS];
    TRY(open_associated(call, &sol, 1, creator));
    TRY(open_associated(call, &tokens, 1, creator));
    u64 before = token_amount(held);
    TRY(from_vault(call, sale_at(call, G_SALE), &out, plan->sent));
    NEED(token_amount(held) - before == plan->first, NOT_MEASURED);
    return wrap(call, &sol, plan->lamports, creator);
}

/* The pool program's initialize, the mints in the order of their bytes. */
OWN_FRAME u64 initialize_pool(const Call *call, const Plan *plan, const Signers *by) {
    const Account *a = call->account;
    u64 data[4] = {DO_INITIALIZE};
    u64 sol_first = 0, i = 0;
    while (i < 31 && WRAPPED_SOL[i] == a[G_MINT].key[i]) i++;
    sol_first = WRAPPED_SOL[i] < a[G_MINT].key[i];
    u8 zero = sol_first ? 0 : 1, one = 1 - zero;
    u64 amounts[2] = {plan->lamports, plan->first};
    u64 mints[2] = {G_SOL_MINT, G_MINT}, own[2] = {G_SOL, G_TOKENS}, vaults[2] = {G_POOL_SOL, G_POOL_TOKENS};
    u64 programs[2] = {G_SPL_TOKEN, G_TOKEN_PROGRAM};
    Meta metas[20] = {
        {a[G_CREATOR].key, 1, 1},      {a[G_CONFIG].key, 0, 0},         {a[G_AUTHORITY].key, 0, 0},
        {a[G_POOL].key, 1, 1},         {a[mints[zero]].key, 0, 0},      {a[mints[one]].key, 0, 0},
        {a[G_LP_MINT].key, 1, 0},      {a[own[zero]].key, 1, 0},        {a[own[one]].key, 1, 0},
        {a[G_LP].key, 1, 0},           {a[vaults[zero]].key, 1, 0},     {a[vaults[one]].key, 1, 0},
        {a[G_FEE].key, 1, 0},          {a[G_OBSERVATION].key, 1, 0},    {TOKEN_PROGRAM, 0, 0},
        {a[programs[zero]].key, 0, 0}, {a[programs[one]].key, 0, 0},    {ASSOCIATED_PROGRAM, 0, 0},
        {SYSTEM_PROGRAM, 0, 0},        {a[G_RENT].key, 0, 0}};
    Instruction ix = {a[G_POOL_PROGRAM].key, metas, 20, (const u8 *)data, sizeof data};
    data[1] = amounts[zero];
    data[2] = amounts[one];
    return invoke(call, &ix, by);
}

/* The pool took exactly its part and holds it; the claim on it (LP) is burned, so the liquidity stays for ever. */
OWN_FRAME u64 make_pool(const Call *call, const Plan *plan, Hands *hands, u64 *lp) {
    static const Route claim = {G_LP, G_LP_MINT, G_PAYER, G_CREATOR, G_SPL_TOKEN};
    const Account *a = call->account;
    Signers creator = {hands->signer, 1}, both = {hands->signer, 2};
    TRY(fill_hands(call, plan, &creator));
    u64 sol = token_amount(&a[G_SOL]), tokens = token_amount(&a[G_TOKENS]);
    TRY(initialize_pool(call, plan, &both));
    NEED(sol - token_amount(&a[G_SOL]) == plan->lamports, WRONG_POOL);
    NEED(tokens - token_amount(&a[G_TOKENS]) == plan->first, WRONG_POOL);
    NEED(token_amount(&a[G_POOL_SOL]) >= plan->lamports && token_amount(&a[G_POOL_TOKENS]) >= plan->tokens, WRONG_POOL);
    *lp = token_amount(&a[G_LP]);
    TRY(change_supply(call, TOKEN_BURN, &claim, *lp, &creator));
    return close_tokens(call, &claim, &creator);
}

/* What the team waits for: 30 % of the SOL here, its tokens in the vault. Whoever signed the sale as its creator may be
 * the platform: the team is the other_owner. Nothing is due before the cliff. */
OWN_FRAME u64 open_vesting(const Call *call, const Hands *hands, u64 lamports, i64 time) {
    static const u64 size = VESTING_SIZE;
    const Account *a = &call->account[G_VESTING];
    const Sale *sale = sale_at(call, G_SALE);
    Signers by = {hands->signer, 3};
    Opening opening = {G_CREATOR, G_VESTING, size, call->program};
    TRY(open_account(call, &opening, &by));
    Vesting *vesting = (Vesting *)a->data;
    vesting->tag = IS_VESTING;
    copy_key(vesting->sale, call->account[G_SALE].key);
    copy_key(vesting->beneficiary, sale->other_owner);
    vesting->lamports = lamports;
    vesting->tokens = sale->team_supply;
    vesting->starts_at = time;
    vesting->cliff_seconds = sale->cliff_seconds;
    vesting->vest_seconds = sale->vest_seconds;
    return 0;
}

/* Counters after the pool is made. What was too small for a pool goes to the holders' rewards, as every remainder. */
INLINE void settle_graduation(Sale *sale, const Plan *plan, u64 liquidity) {
    u64 rest = liquidity - plan->lamports;
    sale->status = GRADUATED;
    sale->raised = 0;
    sale->pooled_lamports = plan->lamports;
    sale->pooled_tokens = plan->tokens;
    sale->other_due = sale->other_supply;
    sale->rewards_due += rest;
    sale->tax_held += rest;
    if (plan->lamports) return;
    sale->rewards_due += sale->burn_due;
    sale->burn_due = 0;
}

OWN_FRAME void tell_graduated(const Call *call, Graduated *event) {
    const Sale *sale = sale_at(call, G_SALE);
    event->tag = TELL_GRADUATED;
    copy_key(event->sale, call->account[G_SALE].key);
    copy_key(event->mint, sale->mint);
    if (sale->pooled_lamports) copy_key(event->pool, call->account[G_POOL].key);
    event->pooled_lamports = sale->pooled_lamports;
    event->pooled_tokens = sale->pooled_tokens;
    event->vested_tokens = sale->team_supply;
    tell(call, event, GRADUATED_EVENT_SIZE);
}

/* max_cost: the most lamports of the payer for rent and the pool program's fee; what is not needed returns to him. */
OWN_FRAME u64 graduate(const Call *call, const u8 *at, u64 size) {
    static const Route rest = {G_VAULT, G_MINT, G_VAULT, G_SALE, G_TOKEN_PROGRAM};
    const Account *a = call->account;
    Graduated event = {.at = now()};
    Hands hands;
    Plan plan;
    u64 unsold;
    NEED(size == 8, BAD_DATA);
    TRY(check_graduating(call, &hands, event.at));
    Sale *sale = sale_at(call, G_SALE);
    Signers creator = {hands.signer, 1};
    plan_for(call, &plan, &unsold);
    event.raised = sale->raised;
    u64 liquidity = part_of(sale->raised, LIQUIDITY_BPS);
    event.vested_lamports = sale->raised - liquidity;
    event.burned = unsold - plan.sent;
    settle_graduation(sale, &plan, liquidity);
    TRY(pay_in(call, G_PAYER, G_CREATOR, read64(at), &NOBODY));
    TRY(open_vesting(call, &hands, event.vested_lamports, event.at));
    if (plan.lamports) TRY(make_pool(call, &plan, &hands, &event.lp_burned));
    TRY(burn_from_vault(call, sale, &rest, event.burned));
    TRY(pay_in(call, G_CREATOR, G_PAYER, *a[G_CREATOR].lamports, &creator));
    tell_graduated(call, &event);
    pay_out(call, G_SALE, G_VESTING, event.vested_lamports);
    return check_solvent(&a[G_SALE]);
}

#endif
