/* Unsigned arithmetic on 128 and 256 bits. The target has neither, and no way to return two words: hence always inlined. */
#ifndef WIDE_H
#define WIDE_H
#include "solana.h"

#define INLINE static inline __attribute__((always_inline))
#define OWN_FRAME static __attribute__((noinline, unused)) /* unused: headers serve several programs */

typedef struct {
    u64 lo, hi;
} u128;

typedef struct {
    u64 word[4];
} u256;

INLINE u128 wide(u64 hi, u64 lo) { return (u128){lo, hi}; }

INLINE u128 add128(u128 a, u128 b) {
    u64 lo = a.lo + b.lo;
    return wide(a.hi + b.hi + (lo < a.lo), lo);
}

INLINE u128 sub128(u128 a, u128 b) { return wide(a.hi - b.hi - (a.lo < b.lo), a.lo - b.lo); }

INLINE u8 less128(u128 a, u128 b) { return a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo); }

/* 0 < bits < 64 */
INLINE u128 left128(u128 a, u32 bits) { return wide(a.hi << bits | a.lo >> (64 - bits), a.lo << bits); }

INLINE u128 right128(u128 a, u32 bits) { return wide(a.hi >> bits, a.lo >> bits | a.hi << (64 - bits)); }

INLINE u128 mul64(u64 a, u64 b) {
    u64 a0 = (u32)a, a1 = a >> 32, b0 = (u32)b, b1 = b >> 32;
    u64 low = a0 * b0, first = a1 * b0 + (low >> 32), second = a0 * b1 + (u32)first;
    return wide(a1 * b1 + (first >> 32) + (second >> 32), second << 32 | (u32)low);
}

/* The remainder stands in *rest. hi < by, or the quotient does not fit and is wrong. Knuth 4.3.1 D with 32-bit digits. */
OWN_FRAME u64 div128(u64 hi, u64 lo, u64 by, u64 *rest) {
    u32 shift = 0;
    while (!(by >> 63)) {
        by <<= 1;
        shift++;
    }
    if (shift) {
        hi = hi << shift | lo >> (64 - shift);
        lo <<= shift;
    }
    u64 by1 = by >> 32, by0 = (u32)by, quotient = 0;
    for (u32 half = 0; half < 2; half++) {
        u64 next = half ? (u32)lo : lo >> 32;
        u64 digit = hi / by1, left = hi - digit * by1;
        while (digit >> 32 || digit * by0 > (left << 32 | next)) {
            digit--;
            left += by1;
            if (left >> 32) break;
        }
        hi = (hi << 32 | next) - digit * by;
        quotient = quotient << 32 | digit;
    }
    *rest = hi >> shift;
    return quotient;
}

OWN_FRAME void mul128(u256 *to, const u128 *a, const u128 *b) {
    u128 low = mul64(a->lo, b->lo), high = mul64(a->hi, b->hi);
    u128 cross = mul64(a->lo, b->hi), other = mul64(a->hi, b->lo);
    u128 middle = add128(cross, other);
    high.hi += less128(middle, cross); /* the carry of 2^192 */
    u64 one = low.hi + middle.lo;
    u128 top = add128(high, wide(0, middle.hi));
    top = add128(top, wide(0, one < low.hi));
    to->word[0] = low.lo;
    to->word[1] = one;
    to->word[2] = top.lo;
    to->word[3] = top.hi;
}

INLINE void add256(u256 *to, const u256 *by) {
    u64 carry = 0;
    for (u32 i = 0; i < 4; i++) {
        u64 part = to->word[i] + carry;
        carry = part < carry;
        to->word[i] = part + by->word[i];
        carry += to->word[i] < part;
    }
}

#endif
