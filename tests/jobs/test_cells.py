"""Texts and claims about rows, as a mapping words them."""

import re
from collections.abc import Mapping

import pytest

from jobs.cells import cell, claim
from jobs.mapping import Condition, Listed, Lookup, Source
from jobs.rows import WrittenRows
from jobs.templates import parts_of

CLIENTS = WrittenRows("clients", [{"name": "ACME "}, {"name": "Groß"}, {"name": "bolt"}])


class Joined:
    """An export in which another file lists two names."""

    def answers(self, lookup: Lookup) -> Mapping[str, str]:
        """No file is looked up."""
        return {}

    def listed(self, listed: Listed) -> frozenset[str]:
        """What that file lists."""
        return frozenset({"Acme", "GROSS"})


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Condition("name", among=frozenset({"acme", "gross"})), [True, True, False]),
        (Condition("name", found_in=Listed("gone.csv", "name")), [True, True, False]),
        (Condition("name", not_found_in=Listed("gone.csv", "name")), [False, False, True]),
    ],
)
def test_conditions_compare_without_regard_to_case(condition: Condition, holds: list[bool]) -> None:
    (block,) = CLIENTS.blocks(lambda bad: None)
    assert list(map(claim(condition, CLIENTS, Joined()), block.rows)) == holds


@pytest.mark.parametrize(
    ("template", "texts"),
    [
        ("{Name}: {Price [EUR]}", ["Acme: 5", "Bolt:"]),
        ("{Name}[ ({Price [EUR]} €)]", ["Acme (5 €)", "Bolt"]),
        ("[{Name}][/{Price [EUR]}]", ["Acme/5", "Bolt"]),
        ("[[{Name}]] {{{Price [EUR]}}} 100%s", ["[Acme] {5} 100%s", "[Bolt] {} 100%s"]),
        ("[{Name}[[{Price [EUR]}]]]", ["Acme[5]", ""]),
        ("only {Price [EUR]}", ["only 5", ""]),
    ],
)
def test_a_template_names_columns_with_brackets_and_leaves_parts_out(template: str, texts: list[str]) -> None:
    file = WrittenRows("deals", [{"Name": "Acme", "Price [EUR]": " 5"}, {"Name": "Bolt"}])
    (block,) = file.blocks(lambda bad: None)
    assert list(map(cell(Source(templates=(parts_of(template),)), file, Joined()), block.rows)) == texts


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        (Source(("a",), values=(("x", "One"),), other="error"), ["", "One"]),
        (Source(("a",), values=(("X", "one"),), case="upper"), ["", "ONE"]),
        (Source(("a",), replace=((re.compile("x"), " y "),)), ["", "y"]),
        (Source(("a",), replace=((re.compile("^"), "x"),), values=(("x", "blank"), ("xx", "two"))), ["blank", "two"]),
        (Source(("a",), values=((" X ", "one"),)), ["", "one"]),
        (Source(("a",), other="blank"), ["", ""]),
    ],
)
def test_what_is_done_to_a_text_is_done_in_the_order_that_is_promised(source: Source, texts: list[str]) -> None:
    file = WrittenRows("deals", [{"a": " "}, {"a": " x "}])
    (block,) = file.blocks(lambda bad: None)
    assert list(map(cell(source, file, Joined()), block.rows)) == texts


def test_rows_whose_texts_only_stand_in_other_cells_have_other_hashes() -> None:
    file = WrittenRows("deals", [{"a": "1", "b": "23"}, {"a": "12", "b": "3"}])
    (block,) = file.blocks(lambda bad: None)
    assert len(set(map(cell(Source(row_hash=True), file, Joined()), block.rows))) == 2
    assert not any("/" in key for key in map(cell(Source(row_hash=True), file, Joined()), block.rows))
