"""The EVM chain: JSON-RPC client, tokens, address derivation, signing, wake-ups."""
