"""Search: by words and by likeness, the best answers first, page by page."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.crm import Crm
from tests.schema.conftest import Asker

COMPANIES = ["Microsoft", "Microhard Tools", "Estée Lauder", "Brown–Forman", "O’Reilly", "Société Générale", "Acme Corporation"]


async def names(ask: Asker, words: str, **arguments: Any) -> list[str]:
    data = await ask(
        "query ($s: String, $sort: CompanySort, $first: Int) {"
        "  companies(search: $s, sort: $sort, first: $first) { edges { node { name } } totalCount } }",
        s=words, **arguments,
    )  # fmt: skip
    return [edge["node"]["name"] for edge in data["companies"]["edges"]]


@pytest.fixture
async def searchable(crm: Crm) -> None:
    """Companies with names that are hard to type."""
    owner = await crm.user()
    for name in COMPANIES:
        await crm.company(owner, name, industry="Software" if "soft" in name else None)


@pytest.mark.usefixtures("searchable")
@pytest.mark.parametrize(
    ("words", "best"),
    [
        ("microsoft", "Microsoft"),
        ("micorsoft", "Microsoft"),
        ("MICROSFT", "Microsoft"),
        ("software", "Microsoft"),
        ("estee", "Estée Lauder"),
        ("lauder estee", "Estée Lauder"),
        ("brown forman", "Brown–Forman"),
        ("oreilly", "O’Reilly"),
        ("societe", "Société Générale"),
        ("acme corp", "Acme Corporation"),
        ("acmee", "Acme Corporation"),
    ],
)
async def test_what_is_meant_comes_first_misspelt_or_without_its_accents(ask: Asker, words: str, best: str) -> None:
    found = await names(ask, words)
    assert found[:1] == [best], found


@pytest.mark.usefixtures("searchable")
@pytest.mark.parametrize("words", ["!!!", "—", "& | ! ( )", "<->", "'", '"', ":*", "🎉", "zzzzqqq", "a" * 1000])
async def test_words_that_mean_nothing_find_nothing(ask: Asker, words: str) -> None:
    assert await names(ask, words) == []


@pytest.mark.usefixtures("searchable")
@pytest.mark.parametrize("words", ["", "  ", "\n\t"])
async def test_a_blank_search_is_none(ask: Asker, words: str) -> None:
    assert len(await names(ask, words)) == len(COMPANIES)


@pytest.mark.usefixtures("searchable")
async def test_a_sort_that_is_given_orders_what_was_found(ask: Asker) -> None:
    assert await names(ask, "micro", sort={"by": "NAME", "direction": "DESC"}) == ["Microsoft", "Microhard Tools"]
    assert await names(ask, "micro", sort={"by": "NAME", "direction": "ASC"}) == ["Microhard Tools", "Microsoft"]


async def test_pages_of_search_results_neither_repeat_nor_lose_a_row(ask: Asker, crm: Crm) -> None:
    owner, stage = await crm.user(), await crm.stage()
    wanted = {str(await crm.deal(owner, stage, f"Renewal {'of the ' * (number % 4)}contract {number % 7}")) for number in range(40)}
    await crm.deal(owner, stage, "Something else")
    page = """query ($after: String) { deals(search: "renewal contract", first: 7, after: $after) {
                edges { node { id } } pageInfo { hasNextPage endCursor } totalCount } }"""
    seen: list[str] = []
    after = None
    while True:
        found = (await ask(page, after=after))["deals"]
        assert found["totalCount"] == 40
        seen += [edge["node"]["id"] for edge in found["edges"]]
        after = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            break
    assert len(seen) == len(set(seen))
    assert set(seen) == wanted


async def test_of_words_that_thousands_have_the_latest_are_ranked_and_all_are_listed(
    ask: Asker, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    owner = await crm.user()
    best, best_of_the_rest = [await crm.contact(owner, "Renewal of a renewal") for _ in range(2)]
    await crm.contact(owner, "Renewalls")  # would be forgiven if hardly anybody had the word
    await sql.execute(
        """insert into contact (first_name, owner_id, created_at)
           select 'Renewal of contract ' || n, $1, now() - n * interval '1 minute' from generate_series(1, 5008) n""",
        owner,
    )
    await sql.execute("update contact set created_at = now() - interval '1 year' where id = $1", best_of_the_rest)
    page = """query ($after: String) { contacts(search: "renewal", first: 100, after: $after) {
                edges { node { id } } pageInfo { hasNextPage endCursor } totalCount } }"""
    seen: list[str] = []
    found: dict[str, Any] = {"pageInfo": {"hasNextPage": True, "endCursor": None}}
    while found["pageInfo"]["hasNextPage"]:
        found = (await ask(page, after=found["pageInfo"]["endCursor"]))["contacts"]
        assert found["totalCount"] == 5010
        seen += [edge["node"]["id"] for edge in found["edges"]]
    assert len(seen) == len(set(seen)) == 5010
    assert seen[0] == str(best)
    assert str(best_of_the_rest) in seen[5000:]


async def test_each_search_of_a_request_is_among_the_rows_of_its_own_owner(ask: Asker, crm: Crm) -> None:
    ada, grace = await crm.user("Ada"), await crm.user("Grace")
    hers = {owner: str(await crm.company(owner, "Analytical Engines")) for owner in (ada, grace)}
    found = await ask(
        "query ($a: ID, $g: ID) {"
        "  a: companies(search: \"analytical\", ownerId: $a) { edges { node { id } } totalCount }"
        "  g: companies(search: \"analytical\", ownerId: $g) { edges { node { id } } totalCount }"
        "  all: companies(search: \"analytical\") { totalCount } }",
        a=str(ada), g=str(grace),
    )  # fmt: skip
    assert [edge["node"]["id"] for edge in found["a"]["edges"] + found["g"]["edges"]] == [hers[ada], hers[grace]]
    assert [found[name]["totalCount"] for name in ("a", "g", "all")] == [1, 1, 2]


async def test_every_noun_can_be_searched_with_a_misspelling(ask: Asker, crm: Crm) -> None:
    owner = await crm.user("Katherine Johnson")
    stage = await crm.stage()
    await crm.company(owner, "Hyperion Logistics")
    await crm.contact(owner, "Friederike", last_name="Hausmann")
    await crm.deal(owner, stage, "Warehouse automation")
    await crm.activity(owner, subject="Quarterly review", body="They asked about forklifts.")
    for noun, words in (
        ("users", "Katharine Jonson"), ("companies", "hyperon logistic"), ("contacts", "Frederike Hausman"),
        ("deals", "warehose automation"), ("activities", "quartely review"), ("activities", "forklifts"),
    ):  # fmt: skip
        data = await ask(f"query ($s: String) {{ {noun}(search: $s) {{ edges {{ node {{ id }} }} totalCount }} }}", s=words)
        assert data[noun]["totalCount"] == len(data[noun]["edges"]) == 1, (noun, words)


async def test_a_deal_is_found_by_the_name_it_has_now(ask: Asker, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]") -> None:
    """However it was renamed; one that goes and comes back is found again, and one that was removed has left nothing."""
    owner, stage = await crm.user(), await crm.stage()
    renamed, other = str(await crm.deal(owner, stage, "Warehouse automation")), str(await crm.deal(owner, stage, "Forklift lease"))

    async def found(words: str) -> list[str]:
        data = await ask("query ($s: String) { deals(search: $s) { edges { node { id } } totalCount } }", s=words)
        assert data["deals"]["totalCount"] == len(data["deals"]["edges"])
        return [edge["node"]["id"] for edge in data["deals"]["edges"]]

    await ask("mutation ($id: ID!, $n: String!) { updateDeal(id: $id, input: {name: $n}) { errors { message } } }",
              id=renamed, n="Crème brûlée")  # fmt: skip
    assert (await found("warehouse"), await found("creme"), await found("forklift")) == ([], [renamed], [other])
    await sql.execute("update deal set name = case id when $1 then 'Bakery' else name end", UUID(renamed))
    assert (await found("creme"), await found("bakery"), await found("forklift")) == ([], [renamed], [other])
    await ask("mutation ($id: ID!) { deleteDeal(id: $id) { errors { message } } }", id=renamed)
    assert await found("bakery") == []
    await ask("mutation ($id: ID!) { restore(id: $id) { errors { message } } }", id=renamed)
    assert await found("bakery") == [renamed]
    await sql.execute("delete from deal where id = $1", UUID(renamed))
    assert await found("bakery") == []
    assert await sql.fetchval("select count(*) from deal_words") == 1
