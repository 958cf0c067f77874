/* Tokens out of a sale's vault: the sale signs, and the vault must lose exactly that. */
#ifndef VAULT_H
#define VAULT_H
#include "../shared/tokens.h"
#include "state.h"

#define SALE_SEEDS(sale) \
    {{(const u8 *)"sale", 4}, {(sale)->mint, 32}, {(sale)->creator, 32}, {(sale)->platform, 32}, {&(sale)->bump, 1}}

OWN_FRAME u64 from_vault(const Call *call, const Sale *sale, const Route *route, u64 amount) {
    u64 before = token_amount(&call->account[route->from]);
    Bytes seeds[5] = SALE_SEEDS(sale);
    Signer signer = {seeds, 5};
    Signers by = {&signer, 1};
    NEED(!same(call->account[route->to].key, sale->vault), SAME_ACCOUNT);
    TRY(move_tokens(call, route, amount, sale->decimals, &by));
    return before - token_amount(&call->account[route->from]) == amount ? 0 : NOT_MEASURED;
}

OWN_FRAME u64 burn_from_vault(const Call *call, const Sale *sale, const Route *route, u64 amount) {
    u64 before = token_amount(&call->account[route->from]);
    Bytes seeds[5] = SALE_SEEDS(sale);
    Signer signer = {seeds, 5};
    Signers by = {&signer, 1};
    TRY(change_supply(call, TOKEN_BURN, route, amount, &by));
    return before - token_amount(&call->account[route->from]) == amount ? 0 : NOT_MEASURED;
}

/* Whether a token account can only serve `owner`. */
INLINE u64 check_receiver(const Account *to, const Sale *sale, const u8 *owner) {
    NEED(same(to->owner, sale->token_program) && to->size >= TOKEN_ACCOUNT_SIZE, WRONG_OWNER);
    return same(to->data + TOKEN_OWNER_AT, owner) ? 0 : WRONG_ADDRESS;
}

#endif
