/* harvest: the fees a Token-2022 mint withheld from transfers, to the owner of the holders' rewards. By anybody. */
#ifndef HARVEST_H
#define HARVEST_H
#include "vault.h"

enum { H_SALE, H_MINT, H_TOKENS, H_TOKEN_PROGRAM };

typedef struct {
    u64 tag;
    u8 sale[32];
    u64 tokens;
} Harvested;

/* From the mint, where the token program's own HarvestWithheldTokensToMint, which anybody may call, collects them. */
OWN_FRAME u64 harvest(const Call *call, const u8 *at, u64 size) {
    const Account *a = call->account;
    Harvested event = {.tag = TELL_HARVESTED};
    u8 data[2] = {26, 2}; /* TransferFeeExtension: WithdrawWithheldTokensFromMint */
    Meta metas[3] = {{a[H_MINT].key, 1, 0}, {a[H_TOKENS].key, 1, 0}, {a[H_SALE].key, 0, 1}};
    Instruction ix = {a[H_TOKEN_PROGRAM].key, metas, 3, data, sizeof data};
    (void)at;
    NEED(size == 0, BAD_DATA);
    TRY(check_sale(call, H_SALE));
    const Sale *sale = sale_at(call, H_SALE);
    NEED(same(a[H_MINT].key, sale->mint) && same(a[H_TOKEN_PROGRAM].key, sale->token_program), WRONG_ADDRESS);
    TRY(check_receiver(&a[H_TOKENS], sale, sale->rewards));
    Bytes seeds[5] = SALE_SEEDS(sale);
    Signer signer = {seeds, 5};
    Signers by = {&signer, 1};
    u64 before = token_amount(&a[H_TOKENS]);
    TRY(invoke(call, &ix, &by));
    event.tokens = token_amount(&a[H_TOKENS]) - before;
    NEED(event.tokens, NOTHING_DUE);
    copy_key(event.sale, a[H_SALE].key);
    tell(call, &event, HARVESTED_EVENT_SIZE);
    return 0;
}

#endif
