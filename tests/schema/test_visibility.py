"""A rep sees their own rows, and nothing of anyone else's: not by id, edge, count, sum, search or list."""

from typing import Any
from uuid import UUID

import pytest

from core.viewer import EVERYONE
from tests.crm import NOON, Crm
from tests.schema.conftest import Asker
from tests.viewers import rep

EVERYTHING = """{
  companies { totalCount edges { node { name contactCount dealCount dealsValue
    deals { name owner { name } contact { fullName } } contacts { fullName } activities { subject }
    dealsConnection { totalCount } contactsConnection { totalCount } activitiesConnection { totalCount }
    analytics { activeDeals totalValue activityCount30d dealsByStage { count value } } } } }
  contacts { totalCount edges { node { fullName company { name } activities { subject } } } }
  deals { totalCount edges { node { name company { name } contact { fullName } stageHistory { changedBy { name } } } } }
  activities { totalCount edges { node { subject company { name } deal { name } contact { fullName } owner { name } } } }
  users { totalCount edges { node { name } } }
  found: deals(search: "secret") { totalCount edges { node { name } } }
  pipelineStats { total wonValue pipelineValue } contactStats { total }
  dashboard { overview { deals { total } activities { today } companies { total withDeals } }
              pipeline { count value } recent { activities { subject } tasks { subject } } }
  viewer { subject owner { name } } }"""


@pytest.fixture
async def two_reps(crm: Crm) -> dict[str, Any]:
    """Ada's rows, and Bob's secret ones, some of which hang on Ada's."""
    ada, bob, stage = await crm.user("Ada"), await crm.user("Bob secret"), await crm.stage()
    mine = await crm.company(ada, "Mine")
    theirs = await crm.company(bob, "Theirs, secret")
    my_deal = await crm.deal(ada, stage, "Mine", company_id=theirs, value=1)
    their_deal = await crm.deal(bob, stage, "Bob's secret", company_id=mine, value=1000)
    their_contact = await crm.contact(bob, "Secret", company_id=mine)
    their_activity = await crm.activity(bob, "TASK", "secret task", company_id=mine, deal_id=my_deal)
    await crm.activity(ada, subject="Mine", company_id=theirs, deal_id=their_deal, contact_id=their_contact)
    await crm.add("stage_change", deal_id=my_deal, to_stage_id=stage, changed_by=bob)
    return {"ada": ada, "secrets": [bob, theirs, their_deal, their_contact, their_activity]}


async def test_nothing_of_another_reps_is_in_any_answer(ask: Asker, two_reps: dict[str, Any]) -> None:
    data = await ask(EVERYTHING, rep(two_reps["ada"], "ada"))
    assert "ecret" not in str(data)
    (company,) = (edge["node"] for edge in data["companies"]["edges"])
    assert (company["name"], company["contactCount"], company["dealCount"], company["dealsValue"]) == ("Mine", 0, 0, 0)
    assert company["dealsConnection"] == company["contactsConnection"] == company["activitiesConnection"] == {"totalCount": 0}
    assert company["analytics"]["totalValue"] == company["analytics"]["activityCount30d"] == 0
    assert data["pipelineStats"] == {"total": 1, "wonValue": 0, "pipelineValue": 1}
    assert data["dashboard"]["overview"]["companies"] == {"total": 1, "withDeals": 0}
    assert data["dashboard"]["recent"] == {"activities": [{"subject": "Mine"}], "tasks": []}
    assert data["viewer"] == {"subject": "ada", "owner": {"name": "Ada"}}
    assert data["deals"]["edges"][0]["node"]["company"] is None


async def test_another_reps_id_answers_nothing(ask: Asker, two_reps: dict[str, Any]) -> None:
    viewer = rep(two_reps["ada"], "ada")
    for secret in two_reps["secrets"]:
        data = await ask(
            "query ($id: ID!) { node(id: $id) { id } company(id: $id) { id } contact(id: $id) { id } deal(id: $id) { id }"
            "  activity(id: $id) { id } user(id: $id) { id } }",
            viewer, id=str(secret),
        )  # fmt: skip
        assert not any(data.values())


async def test_asking_for_another_owner_answers_nothing_of_theirs(ask: Asker, two_reps: dict[str, Any]) -> None:
    bob: UUID = two_reps["secrets"][0]
    data = await ask(
        "query ($o: ID) { companies(ownerId: $o) { totalCount edges { node { id } } } deals(ownerId: $o) { totalCount }"
        "  contacts(ownerId: $o) { totalCount } activities(ownerId: $o) { totalCount }"
        "  found: companies(ownerId: $o, search: \"theirs\") { totalCount }"
        "  pipelineStats(ownerId: $o) { total } contactStats(ownerId: $o) { total }"
        "  dashboard(ownerId: $o) { overview { companies { total } activities { today } deals { total } } recent { tasks { id } } } }",
        rep(two_reps["ada"], "ada"), o=str(bob),
    )  # fmt: skip
    counts = [value for answer in data.values() for key, value in answer.items() if key in ("totalCount", "total")]
    assert counts == [0] * 7
    assert data["dashboard"]["overview"]["companies"] == {"total": 0}
    assert data["dashboard"]["recent"]["tasks"] == []


async def test_what_a_rep_lists_is_read_and_goes_out_of_date_as_a_list_of_theirs(ask: Asker, two_reps: dict[str, Any]) -> None:
    ada = two_reps["ada"]
    data = await ask("{ contacts { edges { node { id } } } companies { totalCount } }", rep(ada))
    assert data == {"contacts": {"edges": []}, "companies": {"totalCount": 1}}
    assert set(ask.ran) == {"contact.page_of_owner_by_name_up", "company.page_of_owner_by_name_up", "company.count_of_owner"}
    assert ask.read == {f"contacts-of-owner:{ada}", f"companies-of-owner:{ada}"}


async def test_without_an_owner_to_look_through_everything_is_seen(ask: Asker, two_reps: dict[str, Any]) -> None:
    data = await ask(EVERYTHING)
    assert data["users"]["totalCount"] == 2
    assert data["found"]["totalCount"] == 1
    assert data["viewer"] == {"subject": "anonymous", "owner": None}


async def test_contacts_are_counted_with_the_companies_that_they_are_shown_with(ask: Asker, crm: Crm) -> None:
    ada, bob = await crm.user("Ada"), await crm.user("Bob")
    gone = await crm.company(ada, "Gone", deleted_at=NOON)
    for company in (await crm.company(ada, "Mine"), await crm.company(bob, "Theirs"), gone, None):
        for _ in range(2):
            await crm.contact(ada, company_id=company)
    await crm.contact(bob, company_id=gone)
    text = """query ($o: ID) { contactStats(ownerId: $o) { total withCompany companies }
      contacts(ownerId: $o) { edges { node { company { id } } } } }"""
    for viewer, owner, expected in (
        (EVERYONE, None, (9, 4, 2)), (EVERYONE, ada, (8, 4, 2)), (EVERYONE, bob, (1, 0, 0)),
        (rep(ada), None, (8, 2, 1)), (rep(ada), ada, (8, 2, 1)), (rep(ada), bob, (0, 0, 0)), (rep(bob), None, (1, 0, 0)),
    ):  # fmt: skip
        data = await ask(text, viewer, o=None if owner is None else str(owner))
        assert tuple(data["contactStats"].values()) == expected
        shown = [edge["node"]["company"] for edge in data["contacts"]["edges"]]
        companies = [company["id"] for company in shown if company]
        assert (len(shown), len(companies), len(set(companies))) == expected


async def test_names_that_come_along_with_what_happened_last_are_of_what_is_there_and_may_be_seen(
    ask: Asker, crm: Crm
) -> None:
    ada, bob, stage = await crm.user("Ada"), await crm.user("Bob"), await crm.stage()
    for name, owner, deleted_at in (("Mine", ada, None), ("Theirs", bob, None), ("Gone", ada, NOON)):
        company = await crm.company(owner, name, deleted_at=deleted_at)
        deal = await crm.deal(owner, stage, name, deleted_at=deleted_at)
        for kind in ("NOTE", "TASK"):
            await crm.activity(ada, kind, name, occurred_at=NOON, company_id=company, deal_id=deal)
    below = "{ subject company { id name } deal { id name } }"
    text = f"query ($o: ID) {{ dashboard(ownerId: $o) {{ recent {{ activities {below} tasks {below} }} }} }}"
    for viewer, seen in ((EVERYONE, {"Mine", "Theirs"}), (rep(ada), {"Mine"})):
        for whose in (None, str(ada)):
            recent = (await ask(text, viewer, o=whose))["dashboard"]["recent"]
            assert (len(recent["activities"]), len(recent["tasks"])) == (6, 3)
            for each in (*recent["activities"], *recent["tasks"]):
                expected = each["subject"] if each["subject"] in seen else None
                names = [each[noun] and each[noun]["name"] for noun in ("company", "deal")]
                assert names == [expected] * 2, (viewer.subject, each)
