/* Which mints and vaults a sale accepts: nobody may ever add to the supply, freeze it, tax it otherwise or rename it. */
#ifndef MINT_H
#define MINT_H
#include "transfer_fee.h"
#include "vault.h"

#define METADATA_POINTER 18
#define TOKEN_METADATA 19
#define METADATA_POINTER_SIZE 64
#define TRANSFER_FEE_AMOUNT 2
#define IMMUTABLE_OWNER 7
#define VAULT_SIZE_MOST 182 /* with both of these, and never a multisig's 355 */
#define FEE_BPS_MOST 500

/* The withheld fees are the sale's to collect; the rate is fixed, now and in every epoch to come. */
INLINE u8 fee_config_allowed(const u8 *at, u16 size, const u8 *sale) {
    return size == FEE_CONFIG_SIZE && is_zero(at) && same(at + 32, sale) && read16(at + FEE_BPS_AT) <= FEE_BPS_MOST &&
           read16(at + FEE_BPS_AT) == read16(at + FEE_NEXT_BPS_AT) &&
           read64(at + FEE_MOST_AT) == read64(at + FEE_NEXT_MOST_AT);
}

/* Token-2022 extensions behind the mint: only those named here; each with its authority gone. */
OWN_FRAME u64 check_extensions(const Account *mint, const u8 *sale) {
    u64 at = EXTENSIONS_AT;
    NEED(mint->size == MINT_SIZE || (mint->size > EXTENSIONS_AT && mint->data[EXTENSIONS_AT - 1] == 1), WRONG_MINT);
    while (at + 4 <= mint->size) {
        u16 kind = read16(mint->data + at), size = read16(mint->data + at + 2);
        const u8 *content = mint->data + at + 4;
        if (kind == 0) return 0;
        NEED(at + 4 + size <= mint->size && size >= 32, WRONG_MINT);
        if (kind == TRANSFER_FEE_CONFIG) {
            NEED(fee_config_allowed(content, size, sale), WRONG_MINT);
        } else {
            NEED((kind == METADATA_POINTER || kind == TOKEN_METADATA) && is_zero(content), WRONG_MINT);
        }
        if (kind == METADATA_POINTER) /* a foreign account could say something else tomorrow */
            NEED(size == METADATA_POINTER_SIZE && same(content + 32, mint->key), WRONG_MINT);
        at += 4 + size;
    }
    return 0;
}

OWN_FRAME u64 check_mint(const Account *mint, const u8 *token_program, const u8 *sale, u64 supply, u8 decimals) {
    NEED(is_token_program(token_program), WRONG_ADDRESS);
    NEED(same(mint->owner, token_program), WRONG_OWNER);
    NEED(mint->size >= MINT_SIZE && mint->size != TOKEN_ACCOUNT_SIZE && mint->data[45] == 1, WRONG_MINT);
    NEED(!*(const u32 *)mint->data && !(mint->data[46] | mint->data[47]), WRONG_MINT); /* mint and freeze authority */
    NEED(read64(mint->data + 36) == supply && mint->data[44] == decimals, WRONG_MINT);
    return same(token_program, TOKEN_PROGRAM) ? 0 : check_extensions(mint, sale);
}

/* Nothing that could refuse transfers later: what a transfer fee and an associated account need, and no more. */
OWN_FRAME u64 check_vault_extensions(const Account *vault) {
    u64 at = EXTENSIONS_AT;
    if (vault->size == TOKEN_ACCOUNT_SIZE) return 0;
    NEED(!same(vault->owner, TOKEN_PROGRAM), WRONG_VAULT);
    NEED(vault->size <= VAULT_SIZE_MOST && vault->data[165] == 2, WRONG_VAULT); /* behind a smaller one are zeros */
    while (at + 4 <= vault->size) {
        u16 kind = read16(vault->data + at);
        if (kind == 0) return 0;
        NEED(kind == TRANSFER_FEE_AMOUNT || kind == IMMUTABLE_OWNER, WRONG_VAULT);
        at += 4 + read16(vault->data + at + 2);
    }
    return 0;
}

/* The whole supply, under the sale, with no delegate and nobody else to close it. */
OWN_FRAME u64 check_vault(const Account *vault, const Account *mint, const u8 *sale, u64 supply) {
    NEED(same(vault->owner, mint->owner), WRONG_OWNER);
    TRY(check_vault_extensions(vault));
    NEED(same(vault->data, mint->key) && same(vault->data + TOKEN_OWNER_AT, sale), WRONG_VAULT);
    NEED(vault->data[108] == 1 && !vault->data[72] && !vault->data[129], WRONG_VAULT);
    return token_amount(vault) == supply ? 0 : WRONG_VAULT;
}

#endif
