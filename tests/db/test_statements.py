"""The reader of ``sql/``: named statements, variants, definitions; and that PostgreSQL agrees with the row classes."""

import asyncpg
import pytest

from db.rows import CompanyRow
from db.statements import REGISTRY, TEXTS, family, parse, script, statement
from tests.conftest import all_statements

SOURCE = """-- About a table.

-- define: visible
owner_id = $1

-- name: of_{scope}_{way} -> Row
-- For readers of the file.
-- with scope all: within = true
-- with scope owner: within = {visible}
-- with way up: order = asc; edge = >
-- with way down: order = desc; edge = <
select id from t where {within} order by id {order}
"""


def test_a_statement_has_its_files_name_its_row_and_its_text() -> None:
    assert parse("deal", "-- name: all -> DealRow\nselect 1;\n") == {"deal.all": ("DealRow", "/* deal.all */ select 1;")}


def test_variants_make_one_statement_for_each_combination() -> None:
    found = parse("t", SOURCE)
    assert sorted(found) == ["t.of_all_down", "t.of_all_up", "t.of_owner_down", "t.of_owner_up"]
    assert found["t.of_owner_down"][1].endswith("select id from t where owner_id = $1 order by id desc")
    assert "--" not in found["t.of_all_up"][1]


def test_a_definition_may_bring_variants() -> None:
    source = "-- define: ways\n-- with way up: order = asc\n-- with way down: order = desc\n\n-- name: x_{way} -> R\n{ways}\nselect {order}"
    assert [text for _, text in parse("t", source).values()] == ["/* t.x_up */ select asc", "/* t.x_down */ select desc"]


def test_a_file_may_use_the_definitions_of_another_and_say_what_they_leave_open() -> None:
    source = "-- use: paging\n\n-- define: visible\nowner = $1\n\n-- define: matches\ntrue\n\n-- name: x -> R\nselect {kept}"
    assert parse("t", source)["t.x"][1] == "/* t.x */ select case when owner = $1 and true then true end"


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("-- name: a -> R\nselect 1\n-- name: a -> R\nselect 2", "a is defined twice"),
        ("-- name: a\nselect 1", "must read '-- name: NAME -> ROW'"),
        ("-- name: a -> R\nselect {what}", "nothing says what {what} is"),
    ],
)
def test_a_file_that_does_not_hold_together_is_refused(source: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"sql/t\.sql") as refused:
        parse("t", source)
    assert complaint in str(refused.value)


def test_a_wrong_name_or_row_fails_at_import() -> None:
    with pytest.raises(KeyError):
        statement("company.by_idz", CompanyRow)
    with pytest.raises(ValueError, match=r"deal\.by_ids returns DealRow, not CompanyRow"):
        statement("deal.by_ids", CompanyRow)
    with pytest.raises(ValueError, match="it is a statement, not a script"):
        script("company.by_ids")
    assert set(family("company.page_", CompanyRow)) <= set(REGISTRY)


async def test_every_held_statement_returns_the_columns_of_its_row_class(sql: "asyncpg.Connection[asyncpg.Record]") -> None:
    for name in all_statements():
        row = REGISTRY[name].row
        columns = [attribute.name for attribute in (await sql.prepare(REGISTRY[name].text)).get_attributes()]
        required = len(row._fields) - len(row._field_defaults)
        assert columns == list(row._fields[: max(len(columns), required)]), name


def test_every_statement_that_reads_owned_rows_takes_the_visible_owner_first() -> None:
    owned = ("company", "contact", "deal", "activity", "app_user", "stage_change", "reports")
    for name, each in REGISTRY.items():
        if name.split(".")[0] in owned:
            assert "$1::uuid is null or" in each.text, name


def test_every_statement_names_itself_for_the_log_of_postgres() -> None:
    assert all(text.startswith(f"/* {name} */") for name, (_, text) in TEXTS.items())
