"""What routes read: psycopg statements that return finished JSON text, passed through as bytes, never an ORM."""
