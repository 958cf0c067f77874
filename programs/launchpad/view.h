/* view_curve: C(s) and the price for many cases in one call. Changes nothing; clients and tests ask the program itself. */
#ifndef VIEW_H
#define VIEW_H
#include "../shared/entry.h"
#include "curve.h"
#include "interface.h"

#define CASES_MOST 32

/* Data: u32 count, cases. Returns for each case u64 C(s) (all ones: does not fit) and u64 price. */
OWN_FRAME u64 view_curve(const Call *call, const u8 *at, u64 size) {
    u64 answer[2 * CASES_MOST], count;
    (void)call;
    if (size < 4) return BAD_DATA;
    count = *(const u32 *)at;
    if (count > CASES_MOST || size != 4 + count * CASE_SIZE) return BAD_DATA;
    at += 4;
    for (u64 i = 0; i < count; i++, at += CASE_SIZE) {
        Curve curve = {read64(at), read64(at + 8), read64(at + 16), at[32], at[33]};
        u64 sold = read64(at + 24);
        if (!curve_allowed(&curve) || sold > curve.supply) return BAD_CURVE;
        if (!reserve(&answer[2 * i], &curve, sold)) answer[2 * i] = ~0ULL;
        answer[2 * i + 1] = spot(&curve, sold);
    }
    sol_set_return_data((const u8 *)answer, 16 * count);
    return 0;
}

#endif
