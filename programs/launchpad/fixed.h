/* 112-bit binary fixed point, bit by bit what domain/launchpad/fixed_point.py computes; the reasons stand there. */
#ifndef FIXED_H
#define FIXED_H
#include "../shared/wide.h"

#define ONE wide(1ULL << 48, 0)
#define LN_2 wide(0xB17217F7D1CFULL, 0x79ABC9E3B39803F2ULL)
#define LOG10_E wide(0x6F2DEC549B94ULL, 0x38CA9AADD557D699ULL)
#define LOG10_E_NINTH wide(0x0C5A6F979F82ULL, 0x3F32F4BDFB42A611ULL)
#define LN_TERMS 34
#define GROWTH_TERMS 26
#define HALVINGS 4

/* a · b / 2^112 */
OWN_FRAME void fixed_mul(u128 *to, const u128 *a, const u128 *b) {
    u256 product;
    mul128(&product, a, b);
    to->lo = product.word[1] >> 48 | product.word[2] << 16;
    to->hi = product.word[2] >> 48 | product.word[3] << 16;
}

INLINE u128 times(u128 a, u128 b) {
    u128 product;
    fixed_mul(&product, &a, &b);
    return product;
}

/* By a number below 2^32: digit by digit. */
INLINE u128 by_small(u128 a, u64 by) {
    u64 digit = a.hi >> 32, hi = digit / by, left = digit % by;
    digit = left << 32 | (u32)a.hi;
    hi = hi << 32 | digit / by;
    left = digit % by;
    digit = left << 32 | a.lo >> 32;
    u64 lo = digit / by;
    left = digit % by;
    digit = left << 32 | (u32)a.lo;
    return wide(hi, lo << 32 | digit / by);
}

/* part · 2^112 / whole, for part < whole < 2^127 */
OWN_FRAME void fixed_ratio(u128 *to, u128 *part, const u128 *whole) {
    u128 left = *part, bits = wide(0, 0), size = *whole;
    for (u32 i = 0; i < 112; i++) {
        left = left128(left, 1);
        bits = left128(bits, 1);
        if (!less128(left, size)) {
            left = sub128(left, size);
            bits.lo |= 1;
        }
    }
    *to = bits;
}

/* ln(above / below), for 1 ≤ above / below < 2^14 */
OWN_FRAME void ln_ratio(u128 *to, const u128 *above, u128 *below) {
    u128 halved = wide(0, 0), half = *below, w, square;
    while (!less128(*above, left128(half, 1))) {
        half = left128(half, 1);
        halved = add128(halved, LN_2);
    }
    u128 part = sub128(*above, half), whole = add128(*above, half);
    fixed_ratio(&w, &part, &whole);
    fixed_mul(&square, &w, &w);
    u128 total = wide(0, 0);
    for (u64 term = LN_TERMS; term-- > 0;) {
        fixed_mul(&total, &total, &square);
        total = add128(total, by_small(ONE, 2 * term + 1));
    }
    fixed_mul(&total, &total, &w);
    *to = add128(halved, left128(total, 1));
}

/* (e^y - 1) / y */
OWN_FRAME void growth(u128 *to, const u128 *argument) {
    u128 y = right128(*argument, HALVINGS), value = ONE, step;
    for (u64 term = GROWTH_TERMS; term > 1; term--) {
        fixed_mul(&step, &value, &y);
        value = add128(ONE, by_small(step, term));
    }
    for (u32 i = 0; i < HALVINGS; i++) {
        fixed_mul(&step, &value, &y);
        step = add128(left128(ONE, 1), step);
        fixed_mul(&value, &value, &step);
        value = right128(value, 1);
        y = left128(y, 1);
    }
    *to = value;
}

#endif
