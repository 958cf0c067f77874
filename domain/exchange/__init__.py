"""The exchange's rules: deposits, withdrawals, custody."""
