"""What one execution of a plan has in hand: the request's context, its variables, and the errors so far."""

from collections.abc import Awaitable, Sequence
from typing import Any

from graphql import FragmentDefinitionNode, GraphQLResolveInfo, GraphQLSchema, OperationDefinitionNode
from graphql.execution.values import VariableValues
from graphql.pyutils import Path, gather_with_cancel
from graphql.type.definition import GraphQLResolveInfoHelpers
from strawberry.execution.is_awaitable import optimized_is_awaitable

from execution.asked import Asked
from execution.faults import DEAD, Dead, Fault, Origin


class Run:
    """One execution. ``faults`` is empty for nearly all of them: then nobody looks for what has died."""

    __slots__ = ("_fragments", "_infos", "_operation", "_schema", "context", "faults", "variables")

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
        self._infos: dict[int, GraphQLResolveInfo[Any]] = {}

    def fail(self, field: Asked, origin: Origin, index: int, cause: Exception) -> Dead:
        """Takes down why a value could not be had; DEAD, to stand in its place."""
        self.faults.append(Fault(field.nodes, origin, index, cause))
        return DEAD

    def info(self, field: Asked) -> GraphQLResolveInfo[Any]:
        """What resolvers of that field are told. It is one for all objects of the level: its path has no indexes of lists."""
        found = self._infos.get(id(field))
        if found is None:
            found = self._infos[id(field)] = GraphQLResolveInfo(
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
        return found


def _path(field: Asked) -> Path:
    above = field.above
    return Path(None if above is None else _path(above), field.key, field.parent.name)


def _track(values: Sequence[Any]) -> None:
    """Nothing of an operation goes on behind its answer."""


async def _gather(awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
    return list(await gather_with_cancel(*awaitables))


HELPERS = GraphQLResolveInfoHelpers(gather=_gather, track=_track)
