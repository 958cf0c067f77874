"""Error objects as a node of Agave 2.2 sends them, and the sentences of its transaction errors."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class RpcRefusal(Exception):
    """Becomes the ``error`` member of the answer. ``data`` is left out when None, as real nodes do."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data

    def envelope(self) -> Json:
        error: Json = {"code": self.code, "message": self.message}
        return error if self.data is None else {**error, "data": self.data}


def invalid(message: str) -> RpcRefusal:
    return RpcRefusal(-32602, message)


def method_not_found() -> RpcRefusal:
    return RpcRefusal(-32601, "Method not found")


def bad_signature() -> RpcRefusal:
    return RpcRefusal(-32003, "Transaction signature verification failure")


def behind(slots: int) -> RpcRefusal:
    return RpcRefusal(-32005, f"Node is behind by {slots} slots", {"numSlotsBehind": slots})


def context_slot_not_reached(slot: int) -> RpcRefusal:
    return RpcRefusal(-32016, "Minimum context slot has not been reached", {"contextSlot": slot})


def block_not_available(slot: int) -> RpcRefusal:
    return RpcRefusal(-32004, f"Block not available for slot {slot}")


def unsupported_version() -> RpcRefusal:
    return RpcRefusal(
        -32015,
        "Transaction version (0) is not supported by the requesting client. Please try the request again with the "
        'following configuration parameter: "maxSupportedTransactionVersion": 0',
    )


def preflight_failure(simulated: Json) -> RpcRefusal:
    """``simulated``: the ``value`` of simulateTransaction."""
    return RpcRefusal(-32002, f"Transaction simulation failed: {sentence(simulated['err'])}", simulated)


_PLAIN = {
    "AccountInUse": "Account in use",
    "AccountLoadedTwice": "Account loaded twice",
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "ProgramAccountNotFound": "Attempt to load a program that does not exist",
    "InsufficientFundsForFee": "Insufficient funds for fee",
    "InvalidAccountForFee": "This account may not be used to pay transaction fees",
    "AlreadyProcessed": "This transaction has already been processed",
    "BlockhashNotFound": "Blockhash not found",
    "InvalidProgramForExecution": "This program may not be used for executing instructions",
    "SanitizeFailure": "Transaction failed to sanitize accounts offsets correctly",
    "SignatureFailure": "Transaction did not pass signature verification",
}
_INSTRUCTION = {
    "InvalidArgument": "invalid program argument",
    "InvalidInstructionData": "invalid instruction data",
    "InvalidAccountData": "invalid account data for instruction",
    "AccountDataTooSmall": "account data too small for instruction",
    "InsufficientFunds": "insufficient funds for instruction",
    "IncorrectProgramId": "incorrect program id for instruction",
    "MissingRequiredSignature": "missing required signature for instruction",
    "UninitializedAccount": "instruction requires an initialized account",
    "ExternalAccountLamportSpend": "instruction spent from the balance of an account it does not own",
    "IllegalOwner": "Provided owner is not allowed",
    "ComputationalBudgetExceeded": "Computational budget exceeded",
    "ProgramFailedToComplete": "Program failed to complete",
    "InvalidSeeds": "Provided seeds do not result in a valid address",
    "PrivilegeEscalation": "Cross-program invocation with unauthorized signer or writable account",
}


def sentence(error: Any) -> str:
    """What a node prints for a transaction error given as JSON; names without a known sentence stay names."""
    if isinstance(error, str):
        return _PLAIN.get(error, error)
    if isinstance(error, dict) and "InstructionError" in error:
        index, cause = error["InstructionError"]
        if isinstance(cause, dict) and "Custom" in cause:
            said = f"custom program error: {cause['Custom']:#x}"
        else:
            said = _INSTRUCTION.get(str(cause), str(cause))
        return f"Error processing Instruction {index}: {said}"
    if isinstance(error, dict) and "InsufficientFundsForRent" in error:
        index = error["InsufficientFundsForRent"]["account_index"]
        return f"Transaction results in an account ({index}) with insufficient funds for rent"
    return str(error)
