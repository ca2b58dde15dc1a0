"""The schema as a document: what is committed is what is served, and everything in it is explained."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLString,
    get_named_type,
)

from ops.sdl import schema_text
from resolvers.rules import shown
from resolvers.writable import WRITABLES
from schema.build import build_schema
from tests.crm import Crm
from tests.schema.conftest import Asker
from tests.schema.test_hostile_writes import longest

ROOT = Path(__file__).parents[2]
DOCUMENTS = {path.stem: path.read_text("utf-8") for path in sorted((ROOT / "documents").glob("*.graphql"))}


def test_schema_graphql_is_what_the_code_makes() -> None:
    assert (ROOT / "schema.graphql").read_text("utf-8") == schema_text(), "run `make schema` and commit what it writes"


def test_every_type_field_argument_and_value_is_described() -> None:
    bare = []
    for name, kind in build_schema()._schema.type_map.items():
        if name.startswith("__") or name in ("ID", "Int", "Float", "String", "Boolean"):
            continue
        if not kind.description:
            bare.append(name)
        if isinstance(kind, (GraphQLObjectType, GraphQLInterfaceType)):
            for field_name, field in kind.fields.items():
                bare += [] if field.description else [f"{name}.{field_name}"]
                bare += [f"{name}.{field_name}({arg})" for arg, value in field.args.items() if not value.description]
        elif isinstance(kind, GraphQLInputObjectType):
            bare += [f"{name}.{field_name}" for field_name, value in kind.fields.items() if not value.description]
        elif isinstance(kind, GraphQLEnumType):
            bare += [f"{name}.{value_name}" for value_name, value in kind.values.items() if not value.description]
        else:
            assert isinstance(kind, GraphQLScalarType)
    assert bare == []


def test_the_longest_text_of_each_input_is_told_and_is_the_longest_that_is_taken() -> None:
    for noun, writable in WRITABLES.items():
        for verb in ("Create", "Update"):
            kind = build_schema()._schema.type_map[f"{verb}{noun.title()}Input"]
            assert isinstance(kind, GraphQLInputObjectType)
            for column, field in writable.fields.items():
                given = kind.fields.get(shown(column))
                if given is None or get_named_type(given.type) is not GraphQLString:
                    continue
                told = re.search(r"([\d,]+) characters", given.description or "")
                assert told, f"{kind}.{shown(column)} does not tell how long it may be"
                assert int(told[1].replace(",", "")) == longest(field)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
async def test_every_document_of_ours_is_valid_and_runs(ask: Asker, crm: Crm, document: str) -> None:
    owner = await crm.user()
    answer = await ask.anything(document, ownerId=str(owner), id=str(owner), operation="DELETE", dealIds=[])
    assert "errors" not in answer


async def test_a_node_is_found_whatever_it_is(ask: Asker, crm: Crm) -> None:
    owner, stage = await crm.user(), await crm.stage()
    made = {
        "User": owner, "Stage": stage, "Company": await crm.company(owner), "Contact": await crm.contact(owner),
        "Deal": await crm.deal(owner, stage), "Activity": await crm.activity(owner),
    }  # fmt: skip
    for kind, node_id in made.items():
        data = await ask("query ($id: ID!) { node(id: $id) { __typename id } }", id=str(node_id))
        assert data["node"] == {"__typename": kind, "id": str(node_id)}
    assert (await ask('{ node(id: "01890a5d-ac96-774b-bcce-b302099a8057") { id } }'))["node"] is None


async def test_a_failed_sibling_leaves_other_readers_of_a_key_alone(ask: Asker, crm: Crm) -> None:
    owner, stage = await crm.user(), await crm.stage()
    company = await crm.company(owner)
    for _ in range(5):
        await crm.deal(owner, stage, company_id=company)
    answer = await ask.anything(
        "{ deals { edges { node { company { name owner { name } } stage { name } } } } broken: deals(first: 101) { totalCount } }"
    )
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["path"] == ["broken"]


async def test_the_way_of_a_deal_through_the_stages_is_told_oldest_first(ask: Asker, crm: Crm) -> None:
    owner, stages = await crm.user("Ada"), await crm.stages()
    deal = await crm.deal(owner, stages["Lead"])
    for before, after in pairwise(["Lead", "Offer", "Won"]):
        await crm.add(
            "stage_change", deal_id=deal, from_stage_id=stages[before], to_stage_id=stages[after], changed_by=owner
        )
    data = await ask("query ($id: ID!) { deal(id: $id) { stageHistory { fromStage { name } toStage { name } changedBy { name } } } }",
                     id=str(deal))  # fmt: skip
    moves = [(move["fromStage"] and move["fromStage"]["name"], move["toStage"]["name"]) for move in data["deal"]["stageHistory"]]
    assert moves == [(None, "Lead"), ("Lead", "Offer"), ("Offer", "Won")]


@pytest.mark.parametrize("value", ["0", "0.01", "1054", "999999999999.99", "123456789012.34"])
async def test_every_amount_survives_as_a_json_number(ask: Asker, crm: Crm, value: str) -> None:
    from decimal import Decimal

    owner, stage = await crm.user(), await crm.stage()
    await crm.deal(owner, stage, value=Decimal(value))
    data = await ask("query ($v: Money) { deals(filter: {valueMin: $v, valueMax: $v}) { edges { node { value } } } }", v=float(value))
    (edge,) = data["deals"]["edges"]
    assert Decimal(str(edge["node"]["value"])) == Decimal(value)
