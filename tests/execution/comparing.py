"""One operation executed by both executors, and what is not equal; the smallest document for which that is so."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson
import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    FragmentDefinitionNode,
    GraphQLError,
    Node,
    OperationDefinitionNode,
    SelectionNode,
    execute,
    validate,
)
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.utils.await_maybe import await_maybe

from execution import Plan, compile_plan
from tests.execution.documents import Case, used


@dataclass(frozen=True)
class Answer:
    """What a client would get: the data as bytes, each error with message, path, locations and the class of its cause."""

    data: bytes
    errors: list[tuple[Any, ...]]

    def __str__(self) -> str:
        return "\n".join([self.data.decode(), *map(str, self.errors)])


def answer(result: ExecutionResult) -> Answer:
    """What is compared of a result."""
    return Answer(orjson.dumps(result.data, default=_shown), [_told(each) for each in result.errors or ()])


def _told(error: GraphQLError) -> tuple[Any, ...]:
    locations = tuple((each.line, each.column) for each in error.locations or ())
    cause = error.original_error
    # Whether a cause has nodes tells web/http/errors.py whose fault it is.
    nodes = cause.nodes is not None if isinstance(cause, GraphQLError) else None
    return error.message, tuple(error.path or ()), locations, type(cause).__name__, nodes


def _shown(value: Any) -> Any:
    """A scalar that serializes to what JSON has not, such as a class in place of a JSON value."""
    return {type(value).__name__: repr(value)}


async def by_graphql_core(schema: strawberry.Schema, case: Case, context: Any) -> Answer:
    """What graphql-core answers, depth first."""
    name = case.operation.name
    result = execute(
        schema._schema,
        case.document,
        context_value=context,
        variable_values=case.variables,
        operation_name=name.value if name else None,
        executor_class=schema.execution_context_class,
        is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]
    )
    return answer(await await_maybe(result))


async def by_plan(schema: strawberry.Schema, case: Case, context: Any, plans: dict[Any, Plan] | None = None) -> Answer:
    """What the breadth-first executor answers; ``plans`` keeps those of a document's operations. Raises Unplannable."""
    plans = {} if plans is None else plans
    key = case.operation.name and case.operation.name.value
    if key not in plans:
        plans[key] = compile_plan(schema, case.document, case.operation)
    return answer(await plans[key].execute(context, case.variables))


async def smallest(schema: strawberry.Schema, case: Case, fails: Callable[[Case], Awaitable[bool]]) -> Case:
    """The case with all taken away that it can do without and still fail: parts of the document and variables."""
    at, since = 0, 0
    candidates = list(_smaller(case))
    while since < len(candidates):
        each = candidates[at % len(candidates)]
        is_smaller = len(str(each)) < len(str(case))
        if is_smaller and not validate(schema._schema, each.document, max_errors=1) and await fails(each):
            case, since, candidates = each, 0, list(_smaller(each))  # and on from here: what came before was needed
        else:
            at, since = at + 1, since + 1
    return case


def _smaller(case: Case) -> Iterator[Case]:
    for name in case.variables:
        yield replace(case, variables={key: value for key, value in case.variables.items() if key != name})
    for at in sorted(_places(case.document), key=len):  # what is outside first: that takes most away
        for node in _without(case.document, at):
            assert isinstance(node, DocumentNode)
            yield _tidied(case, node)


def _places(node: Node, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where there are lists of nodes, outer ones first."""
    for key in node.keys:
        value = getattr(node, key)
        if isinstance(value, (list, tuple)):
            yield (*path, key)
            for at, each in enumerate(value):
                yield from _places(each, (*path, key, at))
        elif isinstance(value, Node):
            yield from _places(value, (*path, key))


def _without(node: Any, path: tuple[Any, ...]) -> Iterator[Any]:
    """The node with one of the list at that place left out, or replaced by what is within."""
    if not path:
        for at, each in enumerate(node):
            if len(node) > 1 or not isinstance(each, SelectionNode):
                yield (*node[:at], *node[at + 1 :])
        for at, each in enumerate(node):
            inner = getattr(each, "selection_set", None)
            if inner is not None and not isinstance(each, (OperationDefinitionNode, FragmentDefinitionNode)):
                yield (*node[:at], *inner.selections, *node[at + 1 :])
        return
    head, *rest = path
    if isinstance(head, int):
        yield from ((*node[:head], each, *node[head + 1 :]) for each in _without(node[head], tuple(rest)))
    else:
        yield from (_copy(node, **{head: each}) for each in _without(getattr(node, head), tuple(rest)))


def _copy(node: Node, **changed: Any) -> Node:
    return type(node)(**{key: getattr(node, key) for key in (*node.keys, "loc")} | changed)


def _tidied(case: Case, document: DocumentNode) -> Case:
    """A case without the fragments, variables and other operations that its operation does not need any more."""
    name = case.operation.name.value if case.operation.name else None
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    for operation in document.definitions:
        if isinstance(operation, OperationDefinitionNode) and (operation.name.value if operation.name else None) == name:
            variables, spread = used(operation, fragments)
            kept = tuple(each for each in operation.variable_definitions or () if each.variable.name.value in variables)
            made = _copy(operation, variable_definitions=kept)
            assert isinstance(made, OperationDefinitionNode)
            needed = [each for each in document.definitions if isinstance(each, FragmentDefinitionNode) and each.name.value in spread]
            sent = {key: value for key, value in case.variables.items() if key in variables}
            return Case(DocumentNode(definitions=(made, *needed)), made, sent)
    return case
