"""Exchange activities: scanning, deposits, withdrawals, signing, sending, custody."""
