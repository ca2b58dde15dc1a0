"""Scalars of our own."""

import math
from decimal import Decimal, InvalidOperation
from typing import NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from execution import by_column, finite_floats

Money = NewType("Money", float)


def parse_money(value: object) -> Decimal:
    """The exact amount a client sent, as a number or as text. Raises ValueError for anything else.

    Whether it is too large, too fine or negative is for the field to say, which may be one of several that are wrong.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("an amount is a number such as 1250.5")
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise ValueError("an amount is a number such as 1250.5") from None
    if not amount.is_finite():
        raise ValueError("an amount is a number such as 1250.5")
    return amount


@by_column(finite_floats)
def money_as_json(value: object) -> float:
    """An amount as the double that prints as that amount. Raises ValueError for anything else."""
    if isinstance(value, (int, float)) and math.isfinite(value):
        return value
    raise ValueError("Money cannot represent a value that is not a finite number")


SCALARS: dict[object, ScalarDefinition] = {
    Money: strawberry.scalar(
        name="Money",
        description="An exact amount of money as a JSON number with at most two decimals. Null is unknown, not zero.",
        serialize=money_as_json,
        parse_value=parse_money,
    )
}
