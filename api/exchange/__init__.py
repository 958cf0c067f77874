"""The exchange over HTTP: deposit addresses, deposits, withdrawals."""
