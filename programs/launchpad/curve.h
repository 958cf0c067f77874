/* The sale curve: the same integers as domain/launchpad/curves.py, where the reasons and the proof stand. */
#ifndef CURVE_H
#define CURVE_H
#include "fixed.h"

enum { LINEAR, EXPONENTIAL, LOGARITHMIC };

typedef struct {
    u64 start, target; /* 10^-9 lamport per token */
    u64 supply;        /* base units for sale */
    u8 shape, decimals;
} Curve;

#define PRICE_LEAST 1000ULL
#define PRICE_MOST 10000000000000000000ULL
#define RATIO_MOST 10000ULL
#define DECIMALS_MOST 9

INLINE u64 power10(u8 exponent) {
    u64 value = 1;
    while (exponent--) value *= 10;
    return value;
}

INLINE u8 curve_allowed(const Curve *c) {
    return c->shape <= LOGARITHMIC && c->decimals <= DECIMALS_MOST && c->supply > 0 && c->start >= PRICE_LEAST &&
           c->start < c->target && c->target <= PRICE_MOST && (c->target - 1) / RATIO_MOST < c->start;
}

/* sold · 2^112 / supply; sold ≤ supply */
INLINE u128 reached(const Curve *c, u64 sold) {
    if (sold == c->supply) return ONE;
    u64 rest, high = div128(sold, 0, c->supply, &rest), low = div128(rest, 0, c->supply, &rest);
    return wide(high >> 16, high << 48 | low >> 16);
}

/* ln(target / start) · x */
INLINE u128 exponent(const Curve *c, u128 x) {
    u128 above = wide(0, c->target), below = wide(0, c->start), ratio;
    ln_ratio(&ratio, &above, &below);
    return times(x, ratio);
}

/* 1 + 9x and its logarithm */
INLINE u128 log_argument(u128 x, u128 *ln) {
    u128 one = ONE, v = add128(add128(one, x), left128(x, 3));
    ln_ratio(ln, &v, &one);
    return v;
}

/* The integral of log10(1 + 9x) */
OWN_FRAME void log_area(u128 *to, u128 *x) {
    u128 ln, v = log_argument(*x, &ln);
    u128 gain = times(times(v, ln), LOG10_E_NINTH);
    u128 loss = add128(times(*x, add128(LOG10_E, wide(0, 1))), wide(0, 1));
    *to = less128(gain, loss) ? wide(0, 0) : sub128(gain, loss);
}

/* area / (2^112 · 10^(9 + decimals)), rounded up; 0 when it does not fit 64 bits, else 1 */
OWN_FRAME u8 lamports_of(u64 *to, const u256 *area, u8 decimals) {
    u64 low = area->word[1] >> 48 | area->word[2] << 16, middle = area->word[2] >> 48 | area->word[3] << 16;
    u64 high = area->word[3] >> 48, rest, by = 1000000000ULL * power10(decimals);
    u8 more = area->word[0] || area->word[1] << 16;
    if (div128(high, middle, by, &rest)) return 0;
    *to = div128(rest, low, by, &rest);
    if (!rest && !more) return 1;
    return ++*to != 0;
}

/* C(s), or 0 in the return when it does not fit 64 bits or s is more than there is. */
OWN_FRAME u8 reserve(u64 *to, const Curve *c, u64 sold) {
    if (sold > c->supply) return 0;
    u128 x = reached(c, sold), level = ONE, bend;
    if (c->shape == EXPONENTIAL) {
        u128 y = exponent(c, x);
        growth(&level, &y);
    } else if (c->shape == LINEAR) {
        bend = right128(times(x, x), 1);
    } else {
        log_area(&bend, &x);
    }
    u256 area, rise;
    u128 base = mul64(c->start, sold);
    mul128(&area, &base, &level);
    if (c->shape != EXPONENTIAL) {
        base = mul64(c->target - c->start, c->supply);
        mul128(&rise, &base, &bend);
        add256(&area, &rise);
    }
    return lamports_of(to, &area, c->decimals);
}

/* The price of the next token; sold ≤ supply. */
OWN_FRAME u64 spot(const Curve *c, u64 sold) {
    if (sold == c->supply) return c->target;
    u128 x = reached(c, sold), part, from = wide(0, c->target - c->start);
    if (c->shape == LINEAR) return c->start + times(from, x).lo;
    if (c->shape == EXPONENTIAL) {
        u128 y = exponent(c, x);
        growth(&part, &y);
        return c->start + times(wide(0, c->start), times(y, part)).lo;
    }
    log_argument(x, &part);
    return c->start + times(from, times(part, LOG10_E)).lo;
}

#endif
