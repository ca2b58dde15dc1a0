"""The database: pool, statements, row classes, migrations and the embedded PostgreSQL."""
