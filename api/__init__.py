"""The HTTP interface: reads answer from Postgres, writes leave intents; nothing here signs or books."""
