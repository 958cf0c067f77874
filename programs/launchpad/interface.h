/* Made from idl.json by make programs. */
#ifndef INTERFACE_H
#define INTERFACE_H

#define DO_CREATE_SALE 0x0c1123fef57cc589ULL
#define DO_CANCEL_SALE 0x0acd095e88388952ULL
#define DO_BUY 0xeaebda01123d0666ULL
#define DO_SELL 0xad837f01a485e633ULL
#define DO_CLAIM 0xd26c9fd5c1d6c63eULL
#define DO_REFUND 0x2e2ed03ffbb76002ULL
#define DO_REGISTER_REFERRAL 0x56b866c16686c49eULL
#define DO_SETTLE_REFERRAL 0x582e13143bdc7d20ULL
#define DO_CLAIM_REFERRAL 0xc670f73f9412f7dbULL
#define DO_DISTRIBUTE 0x3d7eeca4cfdf2cbfULL
#define DO_GRADUATE 0x8240da11b5e1eb2dULL
#define DO_CLAIM_VESTED 0xd08ce1cb72a6bed0ULL
#define DO_RELEASE_OTHER 0x7510b5e363ba9596ULL
#define DO_RECLAIM 0xbaa36d91f9ecb12cULL
#define DO_CLOSE_POSITION 0x626244310051867bULL
#define DO_BURN 0x5d2adb6b381d6e74ULL
#define DO_BURN_FROM_POOL 0x06b219ce25787cb7ULL
#define DO_HARVEST 0xc73ba935b61ff1e4ULL
#define DO_VIEW_CURVE 0x10db74587a879e74ULL
#define IS_SALE 0xb722acb2abe840caULL
#define IS_POSITION 0xd0f7407ae48fbcaaULL
#define IS_REFERRAL 0x40316b6ae088eb1eULL
#define IS_VESTING 0xf180c85f8a429564ULL
#define TELL_SALE_CREATED 0x84eba78f2320bba4ULL
#define TELL_SALE_CANCELLED 0x1c45e37ffccc59c3ULL
#define TELL_TRADED 0x96a02b93af49cae1ULL
#define TELL_CLAIMED 0x21f8966c487bc0d9ULL
#define TELL_REFUNDED 0x63dd7bc4f6956723ULL
#define TELL_REFERRAL_SETTLED 0xc2f034bd18f82cd5ULL
#define TELL_REFERRAL_CLAIMED 0x6c4ee286c44d6dc3ULL
#define TELL_DISTRIBUTED 0x86b6ca234e18d40aULL
#define TELL_REFERRAL_REGISTERED 0xe807a1d1e31b96d2ULL
#define TELL_GRADUATED 0xc09cf58c3242f133ULL
#define TELL_VESTED_CLAIMED 0x2e596cf2c750275aULL
#define TELL_OTHER_RELEASED 0x453d085f6d03fc69ULL
#define TELL_RECLAIMED 0x8289a728872019e6ULL
#define TELL_POSITION_CLOSED 0x798a610de4e3a39dULL
#define TELL_BURNED 0x430ee5ef9afb25cfULL
#define TELL_HARVESTED 0x0b95b96a974ee5f9ULL

#define SALE_SIZE 608
#define POSITION_SIZE 144
#define REFERRAL_SIZE 224
#define VESTING_SIZE 128
#define SALE_CREATED_EVENT_SIZE 120
#define SALE_CANCELLED_EVENT_SIZE 48
#define TRADED_EVENT_SIZE 131
#define CLAIMED_EVENT_SIZE 80
#define REFUNDED_EVENT_SIZE 88
#define REFERRAL_SETTLED_EVENT_SIZE 112
#define REFERRAL_CLAIMED_EVENT_SIZE 48
#define DISTRIBUTED_EVENT_SIZE 64
#define REFERRAL_REGISTERED_EVENT_SIZE 72
#define GRADUATED_EVENT_SIZE 168
#define VESTED_CLAIMED_EVENT_SIZE 88
#define OTHER_RELEASED_EVENT_SIZE 80
#define RECLAIMED_EVENT_SIZE 48
#define POSITION_CLOSED_EVENT_SIZE 72
#define BURNED_EVENT_SIZE 82
#define HARVESTED_EVENT_SIZE 48
#define EVENT_MOST 168
#define TERMS_SIZE 118
#define CASE_SIZE 34
#define CREATE_SALE_ACCOUNTS 15
#define CANCEL_SALE_ACCOUNTS 3
#define BUY_ACCOUNTS 10
#define SELL_ACCOUNTS 10
#define CLAIM_ACCOUNTS 7
#define REFUND_ACCOUNTS 4
#define REGISTER_REFERRAL_ACCOUNTS 5
#define SETTLE_REFERRAL_ACCOUNTS 9
#define CLAIM_REFERRAL_ACCOUNTS 3
#define DISTRIBUTE_ACCOUNTS 5
#define GRADUATE_ACCOUNTS 25
#define CLAIM_VESTED_ACCOUNTS 8
#define RELEASE_OTHER_ACCOUNTS 6
#define RECLAIM_ACCOUNTS 5
#define CLOSE_POSITION_ACCOUNTS 4
#define BURN_ACCOUNTS 6
#define BURN_FROM_POOL_ACCOUNTS 18
#define HARVEST_ACCOUNTS 5
#define VIEW_CURVE_ACCOUNTS 0

enum {
    BAD_DATA = 6000, /* the data is not what the instruction takes */
    BAD_CURVE = 6001, /* the curve is outside of what was proven */
    BAD_ACCOUNTS = 6002, /* wrong number of accounts */
    NOT_SIGNER = 6003, /* an account that must sign did not */
    NOT_WRITABLE = 6004, /* an account that changes is not writable */
    WRONG_OWNER = 6005, /* an account belongs to another program */
    WRONG_KIND = 6006, /* an account is of another kind */
    WRONG_ADDRESS = 6007, /* an account is not the one that was stored or derived */
    WRONG_MINT = 6008, /* the mint is not allowed: an authority, an extension, the supply or the decimals */
    WRONG_VAULT = 6009, /* the vault does not hold the whole supply under the sale */
    BAD_TERMS = 6010, /* the terms contradict each other or exceed a limit */
    WRONG_MOST = 6011, /* the most that can be sold is not what the hard cap gives */
    CANNOT_GRADUATE = 6012, /* the liquidity tokens could fall short */
    NOT_STARTED = 6013, /* the sale has not started */
    ENDED = 6014, /* the sale has ended */
    NOT_ACTIVE = 6015, /* the sale is closed, cancelled or graduated */
    NOT_LATCHED = 6016, /* the soft cap has not been reached */
    LATCHED = 6017, /* the soft cap has been reached */
    NOT_ENDED = 6018, /* the sale has not ended */
    NOTHING_LEFT = 6019, /* nothing is left to sell */
    NOTHING_DUE = 6020, /* there is nothing to pay out */
    TOO_DEAR = 6021, /* it costs more than allowed */
    TOO_CHEAP = 6022, /* it brings less than demanded */
    WALLET_LIMIT = 6023, /* more than one wallet may buy */
    NOT_MEASURED = 6024, /* the token accounts did not change as they must */
    INSOLVENT = 6025, /* the sale would hold less than it owes */
    OVERFLOW = 6026, /* a number does not fit */
    ALREADY_SOLD = 6027, /* something has been bought */
    ALREADY_REGISTERED = 6028, /* this wallet is registered */
    SAME_ACCOUNT = 6029, /* two accounts must differ */
    NOT_GRADUATED = 6030, /* the sale has not graduated */
    BAD_POOL = 6031, /* the pool program or its configuration is not one this program knows */
    WRONG_POOL = 6032, /* the pool did not take what it must */
    NOT_EMPTY = 6033, /* the position still holds something */
};

#endif
