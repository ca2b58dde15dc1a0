"""Nothing that another rep has shows anywhere in what a rep is answered, and nothing they do with it changes any of it."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from core.viewer import NIL, NOBODY_ID, READ, Viewer
from schema.limits import Limits
from tests.crm import Crm
from tests.schema.conftest import EXECUTABLE, Asker
from tests.schema.walk import Question, questions
from tests.viewers import manager, rep

SECRET, AMOUNT = "Wolpertinger", 7_777_777.77
NOON = datetime.now(UTC)


@pytest.fixture
async def rows(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> dict[str, UUID]:
    """Ada's rows by name, and Bob's, each with a secret in every column that takes one; all tied to each other both ways."""
    monkeypatch.setattr(EXECUTABLE, "limits", Limits(tokens=100_000, depth=100, aliases=10_000, selections=100_000, repeats=10_000))
    ada, bob, open_, won = await crm.user("Ada"), await crm.user(f"Bob {SECRET}", email=f"{SECRET}@example.com"), await crm.stage(), await crm.stage("Won", 2, 1, is_won=True)
    found = {"ada": ada, "bob": bob, "stage": open_}
    for name, owner, word, value in (("ada", ada, "Apple", 10), ("bob", bob, SECRET, AMOUNT)):
        found[f"{name} company"] = await crm.company(owner, f"{word} company", industry=word, location=word, domain=f"{word}.example", revenue=value)
    found["ada company 2"] = await crm.company(ada, "Zebra company")
    for name, owner, word, value, other in (("ada", ada, "Apple", 10, "bob"), ("bob", bob, SECRET, AMOUNT, "ada")):
        theirs = {"company_id": found[f"{other} company"]}
        contact = found[f"{name} contact"] = await crm.contact(owner, word, last_name=word, email=f"{word}@example.com", title=word, **theirs)
        found[f"{name} deal"] = await crm.deal(owner, won, f"{word} deal", value=value, contact_id=contact, closed_at=NOON, **theirs)
        found[f"{name} open deal"] = await crm.deal(owner, open_, f"{word} open deal", value=value, **theirs)
        await crm.activity(owner, "TASK", f"{word} task", body=word, occurred_at=NOON - timedelta(minutes=1), deal_id=found[f"{name} deal"], **theirs)
        found[f"{name} activity"] = await crm.activity(owner, "NOTE", f"{word} note", body=word, occurred_at=NOON - timedelta(minutes=2), contact_id=contact, **theirs)
    for kind in ("CALL", "TASK"):
        on = {"company_id": found["ada company"]}
        await crm.activity(ada, kind, f"Apple {kind}", deal_id=found["bob deal"], contact_id=found["bob contact"], **on)
        await crm.activity(bob, kind, f"{SECRET} {kind}", deal_id=found["ada deal"], contact_id=found["ada contact"], **on)
    await crm.add("stage_change", deal_id=found["ada deal"], to_stage_id=won, changed_by=bob)
    return found


def all_questions(rows: dict[str, UUID]) -> list[Question]:
    """Everything, with the ids and words of both reps, of nobody, and of everyone."""
    values: dict[str, list[Any]] = {
        "ID": [*map(str, rows.values()), str(NIL), str(NOBODY_ID)],
        "String": [SECRET, "Apple", "company", "UTC"],
        "Int": [1, 2],
        "Float": [5, AMOUNT],
        "Money": [5, AMOUNT],
        "Boolean": [True, False],
        "DateTime": [(NOON - timedelta(days=1)).isoformat(), (NOON + timedelta(days=1)).isoformat()],
        "Date": [(NOON - timedelta(days=1)).date().isoformat(), (NOON + timedelta(days=1)).date().isoformat()],
    }
    return list(questions(EXECUTABLE._schema._schema, values, depth=2))


async def answers(ask: Asker, viewer: Viewer, asked: list[Question]) -> list[str]:
    """What each is answered."""
    return [json.dumps(await ask.anything(each.text, viewer, **each.variables), sort_keys=True) for each in asked]


def leaks(answer: str, rows: dict[str, UUID], question: Question) -> list[str]:
    """What of Bob's is in it that was not in the question."""
    secrets = [SECRET, f"{AMOUNT}", *(str(row_id) for name, row_id in rows.items() if name.startswith("bob"))]
    return [each for each in secrets if each in answer and each not in json.dumps(dict(question.variables))]


async def test_no_answer_to_a_rep_depends_on_another_reps_rows(ask: Asker, sql: "asyncpg.Connection[asyncpg.Record]", rows: dict[str, UUID]) -> None:
    ask.now = lambda: NOON
    asked, ada = all_questions(rows), rep(rows["ada"])
    before = await answers(ask, ada, asked)
    assert [(each.text[:60], found) for each, answer in zip(asked, before, strict=True) if (found := leaks(answer, rows, each))] == []
    faults = Counter(error["extensions"]["code"] for each in before for error in json.loads(each).get("errors", []))
    assert faults.keys() <= {"INVALID_CURSOR", "BAD_USER_INPUT"}  # words given for a cursor, an e-mail for a time zone
    assert len(before) - faults.total() > 450
    assert sum("Apple" in each for each in before) > 80
    everyone = await answers(ask, manager("boss"), asked[:200])
    assert sum(SECRET in each for each in everyone) > 50  # there is something to be found

    bob = rows["bob"]
    await sql.execute("update deal set deleted_at = now() where owner_id = $1", bob)  # no company of Ada's has one of his any more
    await sql.execute("update company set name = 'Aaa', revenue = 1, created_at = now() - interval '7 days' where owner_id = $1", bob)
    await sql.execute("delete from activity where owner_id = $1", bob)
    await sql.execute("update contact set deleted_at = now() where owner_id = $1", bob)
    after = await answers(ask, ada, asked)
    differing = [each.text[:80] for each, one, other in zip(asked, before, after, strict=True) if one != other]
    assert differing == []


async def test_one_who_may_read_but_owns_nothing_sees_nothing(ask: Asker, rows: dict[str, UUID]) -> None:
    asked = all_questions(rows)[::6]
    for viewer in (Viewer("service", None, frozenset((READ,))), Viewer("service", rows["ada"]), Viewer("nobody")):
        for question, answer in zip(asked, await answers(ask, viewer, asked), strict=True):
            assert "Apple" not in answer, question
            assert SECRET not in answer, question


async def test_a_cursor_of_another_viewer_is_no_cursor(ask: Asker, rows: dict[str, UUID]) -> None:
    text = "query ($after: String) {{ {0}(first: 1, after: $after) {{ pageInfo {{ endCursor }} edges {{ node {{ id }} }} }} }}"
    for name in ("companies", "contacts", "deals", "activities"):
        cursor = (await ask(text.format(name), manager("boss")))[name]["pageInfo"]["endCursor"]
        for viewer in (rep(rows["ada"]), rep(rows["bob"])):
            assert (await ask.error(text.format(name), viewer, after=cursor))[0] == "INVALID_CURSOR"


async def test_one_who_sees_everything_may_still_change_only_their_own(ask: Asker, sql: "asyncpg.Connection[asyncpg.Record]", rows: dict[str, UUID]) -> None:
    lead = Viewer("lead", rows["ada"], frozenset(("crm:read:all", "crm:write")))
    change = "mutation ($id: ID!) { updateDeal(id: $id, input: {name: \"mine now\"}) { deal { name company { name } } errors { code } } }"
    theirs = (await ask(change, lead, id=str(rows["bob deal"])))["updateDeal"]
    assert theirs == {"deal": None, "errors": [{"code": "NOT_FOUND"}]}
    bulk = "mutation ($id: ID!) { bulkUpdateDeals(operation: DELETE, dealIds: [$id]) { results { status } } }"
    assert (await ask(bulk, lead, id=str(rows["bob deal"])))["bulkUpdateDeals"]["results"] == [{"status": "FAILED"}]
    assert await sql.fetchval("select name from deal where id = $1 and deleted_at is null", rows["bob deal"]) == f"{SECRET} deal"
    mine = (await ask(change, lead, id=str(rows["ada deal"])))["updateDeal"]
    assert mine["errors"] == []
    assert mine["deal"]["company"]["name"] == f"{SECRET} company"
    for scopes in (("crm:write",), ("crm:read:all",), ()):
        nobody = Viewer("service", None, frozenset(scopes))
        assert (await ask(change, nobody, id=str(rows["ada deal"])))["updateDeal"]["errors"] == [{"code": "FORBIDDEN"}]
