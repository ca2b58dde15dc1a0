"""What one execution of a plan has in hand: the request's context, its variables, the errors so far, and what it waits for."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any

from graphql import FragmentDefinitionNode, GraphQLSchema, OperationDefinitionNode
from graphql.execution.values import VariableValues
from graphql.pyutils import Path, gather_with_cancel
from graphql.type.definition import GraphQLResolveInfoHelpers
from strawberry.execution.is_awaitable import optimized_is_awaitable

from core.later import Later
from execution.asked import Asked
from execution.batched import PlannedInfo
from execution.faults import Column, Fault, Origin

# So many objects are done in one go, which takes some milliseconds; then others have a turn.
BREATH = 5_000


class Run:
    """One execution. Whatever it waits for is waited for here, in one task: levels go on when what they need has come."""

    __slots__ = (
        "_aside", "_come", "_fragments", "_infos", "_is_over", "_operation", "_schema", "_tasks", "_waiting", "_wake",
        "context", "faults", "variables",
    )  # fmt: skip

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: dict[str, FragmentDefinitionNode],
        context: Any,
        variables: VariableValues,
    ) -> None:
        self.context = context
        self.variables = variables
        self.faults: list[Fault] = []
        self._schema = schema
        self._operation = operation
        self._fragments = fragments
        self._infos: dict[int, PlannedInfo] = {}
        # How many things are waited for, those that have come with what goes on from there, and what was put off.
        self._waiting = 0
        self._come: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._aside: deque[Callable[[], None]] = deque()
        self._tasks: list[asyncio.Future[Any]] = []
        self._wake: asyncio.Future[None] | None = None
        self._is_over = False

    def fail(self, field: Asked, origin: Origin, index: int, cause: Exception) -> None:
        """Takes down why a value could not be had. Null stands in its place until all is there; see ``faults.settle``."""
        self.faults.append(Fault(field.nodes, origin, index, cause))

    def when(self, awaited: Awaitable[Any], go_on: Callable[[Any], None]) -> None:
        """Goes on with the value, or with the exception that came instead, once it is there."""
        self._waiting += 1
        if isinstance(awaited, Later):
            awaited.then(partial(self._take, go_on))
            return
        future = asyncio.ensure_future(awaited)
        self._tasks.append(future)
        future.add_done_callback(partial(self._take_result, go_on))

    def put_off(self, work: Callable[[], None]) -> None:
        """Does some work after others have had a turn, from a fresh stack."""
        self._aside.append(work)

    def settled(self, column: Column) -> Later[Column]:
        """The column with each awaitable replaced by what it gave, all awaited at the same time; an exception is a value."""
        done = list(column)
        settled: Later[Column] = Later()
        waiting = [at for at, value in enumerate(done) if is_awaitable_kind(type(value))]
        missing = len(waiting)

        def put(at: int, outcome: Any) -> None:
            nonlocal missing
            done[at] = outcome
            missing -= 1
            if not missing:
                settled.give(done)

        for at in waiting:
            self.when(done[at], partial(put, at))
        return settled

    async def finish(self) -> None:
        """Goes on with whatever comes until nothing is waited for.

        A failure that makes its siblings null does not end them, as it does in graphql-core: what errors are told does not
        depend on which of them is quicker.
        """
        loop = asyncio.get_running_loop()
        while self._waiting or self._aside:
            while self._come:
                self._waiting -= 1
                go_on, outcome = self._come.popleft()
                if isinstance(outcome, BaseException) and not isinstance(outcome, Exception):
                    raise outcome
                go_on(outcome)
                if isinstance(outcome, list) and len(outcome) >= BREATH:
                    await asyncio.sleep(0)
            if self._aside:
                await asyncio.sleep(0)
                self._aside.popleft()()
            elif self._waiting:
                if self._is_over:
                    raise asyncio.CancelledError
                self._wake = loop.create_future()
                try:
                    await self._wake
                except asyncio.CancelledError:
                    begun = [each for each in self._tasks if not each.done()]
                    await self.abandon()
                    # One of them may have ended otherwise than by being cancelled: a commit under way says that its outcome is
                    # unknown. That is told if nothing else is missing.
                    if len(self._come) < self._waiting or all(each.cancelled() for each in begun):
                        raise
                    self._is_over = True  # nothing else is waited for

    async def abandon(self) -> None:
        """Cancels the tasks that resolvers began or gave, and waits until they have ended; what is loaded is left alone."""
        for each in self._tasks:
            each.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def info(self, field: Asked) -> PlannedInfo:
        """What resolvers of that field are told. It is one for all objects of the level: its path has no indexes of lists."""
        found = self._infos.get(id(field))
        if found is None:
            found = self._infos[id(field)] = PlannedInfo(
                field.name,
                field.nodes,
                field.definition.type,
                field.parent,
                _path(field),
                self._schema,
                self._fragments,
                None,
                self._operation,
                self.variables,
                self.context,
                optimized_is_awaitable,  # type: ignore[arg-type]
                None,
                HELPERS,
            )
            found.along = field.along
        return found

    def _take(self, go_on: Callable[[Any], None], outcome: Any) -> None:
        self._come.append((go_on, outcome))
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _take_result(self, go_on: Callable[[Any], None], done: "asyncio.Future[Any]") -> None:
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        self._take(go_on, done.result() if error is None else error)


def is_awaitable_kind(kind: type[Any]) -> bool:
    """Whether values of that type are awaited."""
    return hasattr(kind, "__await__")


def awaits(kinds: Iterable[type[Any]]) -> bool:
    """Whether values of any of the types are awaited."""
    return any(map(is_awaitable_kind, kinds))


def _path(field: Asked) -> Path:
    above = field.above
    return Path(None if above is None else _path(above), field.key, field.parent.name)


def _track(values: Sequence[Any]) -> None:
    """Nothing of an operation goes on behind its answer."""


async def _gather(awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
    return list(await gather_with_cancel(*awaitables))


HELPERS = GraphQLResolveInfoHelpers(gather=_gather, track=_track)
