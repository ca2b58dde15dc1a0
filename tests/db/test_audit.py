"""The audit tells of every column there is."""

import asyncpg
import pytest


@pytest.mark.parametrize("table", ["company", "contact", "deal", "activity"])
async def test_a_column_that_is_added_is_told_by_the_audit_too(
    sql: "asyncpg.Connection[asyncpg.Record]", table: str
) -> None:
    """Fails for a migration that adds a column and does not make ``{table}_audited()`` anew."""
    columns = await sql.fetch(
        "select attname from pg_attribute"
        " where attrelid = $1::text::regclass and attnum > 0 and not attisdropped and attgenerated = ''",
        table,
    )
    told = await sql.fetchval("select prosrc from pg_proc where proname = $1 || '_audited'", table)
    for (column,) in columns:
        assert f"'{column}', row.{column}" in told, column
        assert column == "updated_at" or f"old_rows.{column} is distinct from new_rows.{column}" in told, column
