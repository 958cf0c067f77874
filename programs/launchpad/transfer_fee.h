/* The fee a Token-2022 mint takes of every transfer: as domain/launchpad/transfer_fee.py. */
#ifndef TRANSFER_FEE_H
#define TRANSFER_FEE_H
#include "tax.h"

#include "../shared/tokens.h"

#define EXTENSIONS_AT 166
#define TRANSFER_FEE_CONFIG 1
#define FEE_CONFIG_SIZE 108
enum { FEE_MOST_AT = 80, FEE_BPS_AT = 88, FEE_NEXT_MOST_AT = 98, FEE_NEXT_BPS_AT = 106 };

typedef struct {
    u64 bps, most;
} Fee;

/* Of a mint that check_mint passed: one rate for all times. */
OWN_FRAME void read_fee(Fee *fee, const Account *mint) {
    fee->bps = fee->most = 0;
    for (u64 at = EXTENSIONS_AT; at + 4 <= mint->size; at += 4 + read16(mint->data + at + 2)) {
        if (read16(mint->data + at) != TRANSFER_FEE_CONFIG) continue;
        fee->bps = read16(mint->data + at + 4 + FEE_BPS_AT);
        fee->most = read64(mint->data + at + 4 + FEE_MOST_AT);
    }
}

INLINE u64 after_fee(const Fee *fee, u64 amount) {
    u64 taken = tax_of(amount, fee->bps);
    return amount - (taken < fee->most ? taken : fee->most);
}

/* The least that arrives as `amount`; all ones when it does not fit. */
OWN_FRAME u64 before_fee(const Fee *fee, u64 amount) {
    u64 rest = 0, by = BPS - fee->bps, whole = ~0ULL;
    u128 scaled = mul64(amount, BPS);
    if (scaled.hi < by) whole = div128(scaled.hi, scaled.lo, by, &rest);
    if (rest && whole != ~0ULL) whole++;
    return fee->most < whole - amount ? amount + fee->most : whole;
}

#endif
