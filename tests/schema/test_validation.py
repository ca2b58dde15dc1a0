"""Validation: whatever does not fit is told with its place in the document, and in no words of Python's."""

import pytest

from schema.build import build_schema
from schema.operation import Executable

EXECUTABLE = Executable(build_schema())
LONG = "9" * 5_000
DEAL = 'mutation { updateDeal(id: "00000000-0000-7000-8000-000000000000", input: {probability: %s}) { deal { id } } }'


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ('{ deals(filter: {closesFrom: "x"}) { totalCount } }', 30, "Date"),
        ('{ deals(filter: {createdFrom: "x"}) { totalCount } }', 31, "DateTime"),
        ("{ deals(filter: {status: [OPEN, [OPEN]]}) { totalCount } }", 33, "DealStatus"),
        ('{ deals(filter: {valueMin: "x"}) { totalCount } }', 28, "an amount is a number"),
        (f"{{ deals(first: {LONG}) {{ totalCount }} }}", 16, "400 digits"),
        (f"{{ deals(first: {'9' * 401}) {{ totalCount }} }}", 16, "400 digits at most, not 401"),
        ("{ stages(nothing: 1) { id } }", 10, "nothing"),
        ('{ deals(filter: {closesFrom: "２０２６-01-31"}) { totalCount } }', 30, "a Date is written as"),
        (f"{{ deals(filter: {{valueMin: {LONG}}}) {{ totalCount }} }}", 28, "400 digits"),
        (f"{{ deals(filter: {{stageIds: [{LONG}]}}) {{ totalCount }} }}", None, ""),
        (DEAL % "1e400", 88, "not finite"),
        (DEAL % ("9" * 330), 88, "not finite"),
        (DEAL % LONG, 88, "not finite"),
        (DEAL % "1e-400", None, ""),
        (f"mutation ($v: Float = -1e999) {DEAL.removeprefix('mutation') % '$v'}", 23, "not finite"),
        ('{ deals(filter: {createdFrom: "2026-W07"}) { totalCount } }', 31, 'a DateTime is written as "2026-01-31T09:30:00Z"'),
        ('{ deals(filter: {createdFrom: "2026-02-14T24:00:00Z"}) { totalCount } }', 31, "a DateTime is written"),
        ('{ deals(filter: {createdFrom: "2026-02-14"}) { totalCount } }', None, ""),
        ('{ deals(filter: {createdFrom: "2026-02-14T12:30"}) { totalCount } }', None, ""),
        ('{ deals(filter: {createdFrom: "2026-02-14t12:30:59.123+01:00"}) { totalCount } }', None, ""),
        ('{ deals(filter: {closesFrom: "20260214"}) { totalCount } }', 30, 'a Date is written as "2026-01-31"'),
        ("{}", 2, "Expected Name"),
        ("{ stages {} }", 11, "Expected Name"),
        ("{ nothing }", 3, "nothing"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(text: str, column: int | None, words: str) -> None:
    errors = EXECUTABLE.document(text).errors
    assert [[each.column for each in error.locations or ()] for error in errors] == ([] if column is None else [[column]])
    for error in errors:
        assert words in error.message
        assert "sys." not in error.message
        assert len(error.message) < 300
