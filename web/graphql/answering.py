"""One GraphQL request made ready, run, and answered; whatever route it came by.

``prepare`` finds the document and the operation, which is decided here once and for all; ``run`` executes it. Between the
two stands everything that may look at an operation before it runs.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode, OperationType

from core.errors import AppError, BadInput, DeadlineExceeded, OutcomeUnknown, Overloaded, Unavailable
from core.viewer import Viewer
from db.share import Share, share_of
from loaders import Loaders
from resolvers.context import Context, IdempotencyKey
from schema.cost import CostPlan, as_extension, too_expensive
from schema.operation import Document
from web.auth.asker import Asker
from web.graphql.request import GraphQLRequest, MalformedRequest
from web.http.errors import app_error, field_errors, left_out, request_errors, status_of
from web.state import State

TOO_LATE = "The request took longer than it may. Ask for less at once."
MADE = (
    "A change was made, and what came behind it failed, or time was up. Look before you repeat it; with an Idempotency-Key it "
    "can be repeated without looking."
)
NOW = nullcontext()


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request: a JSON object, and the status and headers that it would have alone.

    ``is_whole`` says that everything that was asked for is in it; ``is_unavailable`` that the database was not there.
    ``spent`` is the actual cost, None where it was not executed to the end; 0 where that was our fault.
    """

    body: bytes
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    is_whole: bool = False
    is_unavailable: bool = False
    spent: int | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """An operation of a valid document that is about to run."""

    document: Document
    operation: OperationDefinitionNode
    variables: dict[str, Any] | None
    plan: CostPlan
    cost: int

    @property
    def name(self) -> str | None:
        """The operation's name, if it has one."""
        return self.operation.name.value if self.operation.name else None

    @property
    def is_query(self) -> bool:
        """Whether it only reads."""
        return self.operation.operation is OperationType.QUERY


class Refused(Exception):
    """A request that is not executed, and how it is answered."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


async def prepare(state: State, asked: GraphQLRequest, viewer: Viewer, *, strict: bool, only_reads: bool) -> Ready:
    """The operation that is asked for. Raises Refused, also for a mutation where the request ``only_reads``.

    ``strict`` is for who accepts graphql-response+json, here and below: the status tells how far the request came.
    """
    documents, most = state["documents"], state["settings"].max_errors
    try:
        document = await documents.find(asked, viewer)
    except AppError as error:
        raise Refused(refusal(state, error, strict=strict)) from None
    if document.node is None:
        raise _refused(document.errors, "GRAPHQL_PARSE_FAILED", 400 if strict else 200, most)
    if document.errors:
        status, hints = refused_status(state, strict=strict), viewer.may_explore
        raise _refused(document.errors, "GRAPHQL_VALIDATION_FAILED", status, most, hints=hints)
    operation = document.operation(asked.operation_name)
    if operation is None:
        undecided = [_undecided(asked.operation_name)]
        raise _refused(undecided, "OPERATION_RESOLUTION_FAILURE", refused_status(state, strict=strict))
    executable = state["executable"]
    plan = executable.cost_plan(document, operation)
    variables = asked.variables
    if variables:  # what is not declared has no say in anything, and must not make another key of the cache
        declared = {each.variable.name.value for each in operation.variable_definitions or ()}
        variables = {name: value for name, value in variables.items() if name in declared}
    cost = plan.estimate(variables or {})
    if cost.requested > executable.limits.cost and not document.is_trusted:
        dear = [too_expensive(cost, executable.limits.cost, operation)]
        raise _refused(dear, "COST_ESTIMATED_TOO_EXPENSIVE", refused_status(state, strict=strict))
    ready = Ready(document, operation, variables, plan, cost.requested)
    if only_reads and not ready.is_query:
        by_post = [GraphQLError("GET is for queries; send this by POST.")]
        raise _refused(by_post, "METHOD_NOT_ALLOWED", 405, headers={"Allow": "POST"})
    return ready


def context_of(state: State, viewer: Viewer, idempotency_key: IdempotencyKey | None = None) -> Context:
    """What the resolvers of one request share."""
    now = datetime.now(UTC)
    share = Share(state["database"], share_of(state["settings"].pool_size))
    loaders = Loaders(share, viewer, now, state["reference"], is_kept=state["responses"].is_on)
    return Context(viewer, loaders, state["cursors"], now, state["database"], idempotency_key)


@contextmanager
def working(state: State, asker: Asker) -> Iterator[Context]:
    """A context for the time of the block: what is still being loaded after it is stopped."""
    context = context_of(state, *asker)
    try:
        yield context
    finally:
        context.loaders.stop()


def deadline(state: State) -> float:
    """When a request that begins now is cut off, by the clock of the loop: as the client wishes, or at the latest."""
    return state["until"] if "until" in state else latest(state)


def latest(state: State) -> float:
    """When work that begins now is cut off, whoever waits for it."""
    return asyncio.get_running_loop().time() + state["settings"].request_deadline_s


async def run(state: State, ready: Ready, context: Context, until: float, *, strict: bool) -> Answer:
    """What the operation answers when it is its turn, if it does so in time."""
    return await run_now(state, ready, context, until, strict=strict, turn=state["gate"])


async def run_now(
    state: State,
    ready: Ready,
    context: Context,
    until: float,
    *,
    strict: bool,
    turn: AbstractAsyncContextManager[None] = NOW,
) -> Answer:
    """The same for who is inside of the gate already."""
    try:
        async with asyncio.timeout_at(until), turn:
            result = await state["executable"].execute(ready.document, ready.operation, ready.variables, context)
        return _executed(result, state, ready, context, strict=strict)
    except TimeoutError:
        failure: AppError = DeadlineExceeded(TOO_LATE)
    except asyncio.CancelledError:  # the server goes down, and waits no longer
        if not context.made:
            raise
        failure = OutcomeUnknown(MADE)
        stay()
    except AppError as error:
        failure = error
    return refusal(state, OutcomeUnknown(MADE) if context.made else failure, strict=strict)


def stay() -> None:
    """Takes back that this task was cancelled: a change that was made must be told before it ends."""
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()


def refused_status(state: State, *, strict: bool) -> int:
    """The status of a request that reached GraphQL, and that it cannot answer."""
    return state["settings"].refused_status if strict else 200


def refusal(state: State, error: AppError, *, strict: bool) -> Answer:
    """The answer to a request that failed as a whole."""
    is_malformed = strict and isinstance(error, MalformedRequest)
    status = refused_status(state, strict=strict) if is_malformed else error.status
    # Whatever else ended it has had its work done, in whole or in part.
    is_our_fault = type(error) is Unavailable or isinstance(error, Overloaded)
    return Answer(orjson.dumps({"errors": [app_error(error)]}), status, error.headers, spent=0 if is_our_fault else None)


def _refused(
    errors: Sequence[GraphQLError],
    code: str,
    status: int,
    most: int = 1,
    headers: Mapping[str, str] | None = None,
    *,
    hints: bool = True,
) -> Refused:
    body: dict[str, Any] = {"errors": request_errors(errors, code, most, hints=hints)}
    if more := left_out(errors, most):
        body["extensions"] = more
    return Refused(Answer(orjson.dumps(body), status, headers or {}))


def _undecided(name: str | None) -> GraphQLError:
    if name is not None:
        return GraphQLError(f"There is no operation named {name[:200]!r} in the document.")
    return GraphQLError("The document has several operations: `operationName` must say which.")


def _executed(result: ExecutionResult, state: State, ready: Ready, context: Context, *, strict: bool) -> Answer:
    errors, most = result.errors or [], state["settings"].max_errors
    if result.data is None and context.made:  # by a field before the one that took all of the answer along
        errors = [GraphQLError(MADE, original_error=OutcomeUnknown(MADE)), *errors]
    told = field_errors(errors, state["request_id"], most, hints=context.viewer.may_explore)
    body: dict[str, Any] = {"errors": told} if errors else {}
    # Errors without a path and no data: the variables did not fit, and nothing was executed.
    if result.data is None and errors and all(error.path is None for error in errors):
        if more := left_out(errors, most):
            body["extensions"] = more
        return Answer(orjson.dumps(body), refused_status(state, strict=strict))
    body["data"] = result.data
    spent = ready.plan.actual(result.data, ready.variables or {})
    body["extensions"] = {**left_out(errors, most), "cost": as_extension(ready.cost, spent)}
    status = 200 if result.data is not None else status_of(errors)
    if errors and strict and status == 200:
        status = state["settings"].partial_status
    causes = [error.original_error for error in errors]
    is_away = any(isinstance(cause, Unavailable) for cause in causes)
    is_cut_off = any(isinstance(cause, DeadlineExceeded) for cause in causes)
    due = None if is_cut_off else spent
    return Answer(_written(body), status, is_whole=not errors, is_unavailable=is_away, spent=due)


def _written(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError as error:
        if "Recursion" not in str(error):
            raise
        raise BadInput("The answer is nested more than the 254 levels that can be written. Ask for fewer.") from error
