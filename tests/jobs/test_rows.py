"""Names of columns and files: which may be meant for another."""

import pytest

from jobs.rows import misspelling


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("value", "Value"),
        ("value", "VALUE"),
        ("value", "vlaue"),
        ("email", "E-mail"),
        ("company_id", "company"),
        ("company_id", "Company Id"),
        ("expected_close_date", "expected_closedate"),
        ("deals.csv", "Deals.CSV"),
        ("companies.csv", "company.csv"),
        ("deals.csv", "deals.csv.gz"),
    ],
)
def test_a_name_that_is_nearly_the_wanted_one_may_be_meant(name: str, other: str) -> None:
    assert misspelling(name, ["zip", other]) == other


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("closed_at", "close_date"),
        ("created_at", "updated_at"),
        ("company_id", "company_name"),
        ("last_name", "full_name"),
        ("deals.csv", "leads.csv"),
        ("contacts.csv", "products.csv"),
    ],
)
def test_names_that_exports_have_side_by_side_are_not_taken_for_each_other(name: str, other: str) -> None:
    assert misspelling(name, [other]) is None
