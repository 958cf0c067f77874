"""What happens, as it happens: server-sent events and webhook subscriptions."""
