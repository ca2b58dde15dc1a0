"""An array of GraphQL requests, answered by an array in the same order.

Queries that stand next to each other run at once and share what they load; a mutation runs alone, when all before it are
done, as the fields of one mutation do (GraphQL specification, section 6.2.2). It makes the loaders forget, which nobody
else's loading would survive.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import orjson

from core.errors import OutcomeUnknown
from resolvers.context import Context, of_item
from schema.cost import COST_ESTIMATED_TOO_EXPENSIVE
from web.graphql.answering import MADE, Answer, Ready, Refused, deadline, prepare, refusal, run, stay
from web.graphql.charging import charge, charge_little, limited, settled
from web.graphql.request import GraphQLRequest
from web.limits.throttle import Charge, RateLimited
from web.state import State


async def answer_batch(state: State, batch: Sequence[GraphQLRequest], context: Context) -> Answer:
    """The answers as one. Its status is 200 if one has that, as what reached GraphQL has in JSON; else the gravest.

    With that go the headers of the answer whose status it is; of several, of the one that has to wait the longest.
    """
    until = deadline(state)
    prepared = await asyncio.gather(*(_prepared(state, asked, context) for asked in batch))
    together, most = sum(_cost(each) for each in prepared), state["executable"].limits.cost
    if together > most:  # each has been looked at all the same, and counts as a request
        refused = _too_expensive(together, most)
        charged = await asyncio.gather(*(_charged(state, asked, refused, context) for asked in batch))
        return next((due for due in charged if isinstance(due, Answer)), refused)
    charged = await asyncio.gather(
        *(_charged(state, asked, each, context) for asked, each in zip(batch, prepared, strict=True))
    )
    prepared = [each if isinstance(due, Charge | None) else due for each, due in zip(prepared, charged, strict=True)]
    contexts = [_of_item(context, place) for place in range(len(batch))]
    answers: list[Answer] = []
    try:
        for _, group in groupby(zip(prepared, contexts, range(len(batch)), strict=True), key=_runs_alone):
            answers += await asyncio.gather(*(_answer(state, each, own, until) for each, own, _ in group))
    except asyncio.CancelledError:  # the server goes down, and waits no longer
        if not any(own.made for own in contexts):
            raise
        stay()
        return refusal(state, OutcomeUnknown(MADE), strict=False)
    answers = [
        settled(due, answer) if isinstance(due, Charge) else answer for answer, due in zip(answers, charged, strict=True)
    ]
    statuses = [answer.status for answer in answers]
    status = 200 if min(statuses) < 300 else max(statuses)
    whole = Answer(b"[" + b",".join(answer.body for answer in answers) + b"]", status)
    if status == 200:
        return whole
    decisive = [answer for answer in answers if answer.status == status]
    return replace(whole, headers=max(decisive, key=_wait_s).headers)


def _wait_s(answer: Answer) -> int:
    return int(answer.headers.get("retry-after", 0))


def _too_expensive(together: int, most: int) -> Answer:
    """The answer to operations that may each be run, but not all at once. It is none for each: 400, as for too many of them."""
    message = f"Together the operations cost {together}, and {most} is the limit. Ask for less at once."
    extensions = {"code": COST_ESTIMATED_TOO_EXPENSIVE, "cost": together, "limit": most}
    return Answer(orjson.dumps({"errors": [{"message": message, "extensions": extensions}]}), 400)


def _cost(prepared: Ready | Answer) -> int:
    """What counts towards the limit: trusted documents do not."""
    return prepared.cost if isinstance(prepared, Ready) and not prepared.document.is_trusted else 0


def _runs_alone(item: tuple[Ready | Answer, Context, int]) -> int | None:
    prepared, _, place = item
    return place if isinstance(prepared, Ready) and not prepared.is_query else None


async def _prepared(state: State, asked: GraphQLRequest, context: Context) -> Ready | Answer:
    try:
        return await prepare(state, asked, context.viewer, strict=False, only_reads=False)
    except Refused as refused:
        return refused.answer


async def _charged(
    state: State, asked: GraphQLRequest, prepared: Ready | Answer, context: Context
) -> Charge | Answer | None:
    """What an item is charged; the answer to one that is too many. One that is refused anyway costs as a request."""
    try:
        if isinstance(prepared, Ready):
            due = await charge(state, context.viewer, prepared)
            await state["documents"].accept(asked, prepared.document)
            return due
        await charge_little(state, context.viewer)
    except RateLimited as error:
        return limited(error)
    return None


async def _answer(state: State, prepared: Ready | Answer, context: Context, until: float) -> Answer:
    return prepared if isinstance(prepared, Answer) else await run(state, prepared, context, until, strict=False)


def _of_item(context: Context, place: int) -> Context:
    """The context of one request of the array."""
    return replace(context, idempotency_key=of_item(context.idempotency_key, place), made=[])
