"""What every route shares: authentication, idempotency, problems, paging, limits, headers, documentation."""
