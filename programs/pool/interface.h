/* Made from idl.json by make programs. */
#ifndef INTERFACE_H
#define INTERFACE_H

#define DO_CREATE_AMM_CONFIG 0x686c75d7d4ed3489ULL
#define DO_INITIALIZE 0xed9b980d1f6dafafULL
#define DO_SWAP_BASE_INPUT 0xde331ec4da5abe8fULL
#define IS_AMM_CONFIG 0x6f2bcbcb6821f4daULL
#define IS_POOL_STATE 0x46dec3d7f5e3edf7ULL
#define IS_OBSERVATION_STATE 0x84a5098135c5ae7aULL
#define TELL_SWAP_EVENT 0xe2710826e8cdc640ULL

#define AMM_CONFIG_SIZE 236
#define POOL_STATE_SIZE 637
#define OBSERVATION_STATE_SIZE 4075
#define SWAP_EVENT_EVENT_SIZE 89
#define EVENT_MOST 89
#define OBSERVATION_SIZE 40
#define CREATE_AMM_CONFIG_ACCOUNTS 3
#define INITIALIZE_ACCOUNTS 20
#define SWAP_BASE_INPUT_ACCOUNTS 13

enum {
    NOT_APPROVED = 6000, /* not open yet */
    INVALID_OWNER = 6001, /* the owner does not match */
    EMPTY_SUPPLY = 6002, /* nothing is there */
    INVALID_INPUT = 6003, /* a number is not allowed */
    INCORRECT_LP_MINT = 6004, /* not the mint of this pool */
    EXCEEDED_SLIPPAGE = 6005, /* it brings less than demanded */
    ZERO_TRADING_TOKENS = 6006, /* nothing would be traded */
    NOT_SUPPORT_MINT = 6007, /* the mint has an extension that is not supported */
    INVALID_VAULT = 6008, /* not a vault of this pool */
    INIT_LP_AMOUNT_TOO_LESS = 6009, /* the pool would be too small */
    BAD_DATA = 6010, /* the data is not what the instruction takes */
    BAD_ACCOUNTS = 6011, /* wrong number of accounts */
    NOT_SIGNER = 6012, /* an account that must sign did not */
    NOT_WRITABLE = 6013, /* an account that changes is not writable */
    WRONG_OWNER = 6014, /* an account belongs to another program */
    WRONG_KIND = 6015, /* an account is of another kind */
    WRONG_ADDRESS = 6016, /* an account is not the one that was stored or derived */
};

#endif
