"""What mutations write an import can fill, with the same limits; and the documentation lists it."""

from pathlib import Path

import pytest

from jobs.entities import ENTITIES, Entity
from jobs.mapping_file import load_mapping
from resolvers.writable import WRITABLES
from tests.schema.test_hostile_writes import longest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("noun", WRITABLES)
def test_what_mutations_write_an_import_fills_with_the_same_limits(noun: str) -> None:
    targets = {each.column: each for each in ENTITIES[noun].targets.values()}
    for column, field in WRITABLES[noun].fields.items():
        assert column in targets, column
        if (most := longest(field)) is not None:
            assert targets[column].limit == most, column


@pytest.mark.parametrize("entity", ENTITIES.values(), ids=lambda each: each.name)
def test_the_canonical_mapping_fills_every_field_and_the_documentation_lists_it(entity: Entity) -> None:
    fields = [section.fields for section in load_mapping("canonical").sections if section.entity is entity]
    assert [set(each) for each in fields] == [set(entity.targets)]
    (line,) = [each for each in (ROOT / "docs/import.md").read_text("utf-8").splitlines() if each.startswith(f"| `{entity.name}` |")]
    for target in entity.targets.values():
        assert f"`{target.name}`" in line
