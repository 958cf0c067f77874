/* The tax of a trade and who is owed it. Σ parts = tax, always. */
#ifndef TAX_H
#define TAX_H
#include "state.h"

static const u8 SHARES[LEVELS] = {40, 20, 15, 15, 10}; /* percent of the referral pool */

INLINE u64 part_of(u64 amount, u64 bps) { return amount / BPS * bps + amount % BPS * bps / BPS; }

/* Rounded up; never above the value for rates up to 10,000. */
INLINE u64 tax_of(u64 value, u64 bps) { return value / BPS * bps + (value % BPS * bps + BPS - 1) / BPS; }

/* What the trader's uplines earn. Levels nobody fills stay in the tax. `chain` may be absent. */
OWN_FRAME u64 accrue_referral(Position *position, const Referral *chain, u64 pool) {
    u64 total = 0;
    for (u32 level = 0; level < LEVELS; level++) {
        if (is_zero(chain->upline[level])) break;
        u64 share = part_of(pool, SHARES[level] * 100ULL);
        position->earned[level] += share;
        total += share;
    }
    return total;
}

/* Four equal parts of what referral leaves; the remainder goes to the holders' rewards. */
INLINE void accrue_tax(Sale *sale, u64 tax, u64 referral) {
    u64 rest = tax - referral, quarter = rest / 4;
    sale->tax_total += tax;
    sale->tax_held += tax;
    sale->referral_due += referral;
    sale->marketing_due += quarter;
    sale->treasury_due += quarter;
    sale->burn_due += quarter;
    sale->rewards_due += rest - 3 * quarter;
}

#endif
