"""Validation: whatever does not fit is told with its place in the document, and in no words of Python's."""

import pytest

from schema.build import build_schema
from schema.operation import Executable

EXECUTABLE = Executable(build_schema())
LONG = "9" * 5_000


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ('{ deals(filter: {closesFrom: "x"}) { totalCount } }', 30, "Date"),
        ('{ deals(filter: {createdFrom: "x"}) { totalCount } }', 31, "DateTime"),
        ("{ deals(filter: {status: [OPEN, [OPEN]]}) { totalCount } }", 33, "DealStatus"),
        ('{ deals(filter: {valueMin: "x"}) { totalCount } }', 28, "an amount is a number"),
        (f"{{ deals(first: {LONG}) {{ totalCount }} }}", 16, "400 digits"),
        (f"{{ deals(filter: {{valueMin: {LONG}}}) {{ totalCount }} }}", 28, "400 digits"),
        (f"{{ deals(filter: {{stageIds: [{LONG}]}}) {{ totalCount }} }}", None, ""),
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
