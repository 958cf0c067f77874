/* A pool of two tokens with the interface of Raydium CPMM, for local nets, where the real one cannot be. One file for the
 * compiler. Of Raydium's instructions it has the two the sale program calls; nobody can withdraw anything from it. */
#include "config.h"
#include "initialize.h"
#include "swap.h"

#define ROUTE(name, NAME)                                \
    case DO_##NAME:                                      \
        if (call.count != NAME##_ACCOUNTS) return BAD_ACCOUNTS; \
        return name(&call, call.data + 8, call.size - 8)

u64 entrypoint(const u8 *input) {
    Call call;
    if (!read_call(&call, input)) return BAD_ACCOUNTS;
    if (call.size < 8) return BAD_DATA;
    switch (read64(call.data)) {
        ROUTE(create_amm_config, CREATE_AMM_CONFIG);
        ROUTE(initialize, INITIALIZE);
        ROUTE(swap_base_input, SWAP_BASE_INPUT);
    }
    return BAD_DATA;
}
