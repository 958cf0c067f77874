"""The launchpad over HTTP: pictures, launches, sales, promotions, sync."""
