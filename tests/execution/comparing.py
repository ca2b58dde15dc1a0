"""One operation by both executors, and what they said."""

import inspect
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import DocumentNode, ExecutionResult, GraphQLSchema, OperationDefinitionNode, execute, parse, validate
from strawberry.execution.is_awaitable import optimized_is_awaitable

from execution import Plan


@dataclass
class Said:
    """Data as bytes, key order and all, and the errors as clients would see them."""

    data: bytes
    errors: list[tuple[str, tuple[Any, ...], tuple[Any, ...]]]


def said(result: ExecutionResult) -> Said:
    """What an execution said."""
    errors = [
        (each.message, tuple(each.path or ()), tuple((place.line, place.column) for place in each.locations or ()))
        for each in result.errors or ()
    ]
    try:
        data = orjson.dumps(result.data)
    except TypeError:  # a scalar that serialises to something that JSON has not: the same on both sides
        data = repr(result.data).encode()
    return Said(data, errors)


async def by_graphql_core(
    schema: GraphQLSchema, document: DocumentNode, variables: dict[str, Any], context: Any, name: str = "Asked"
) -> Said:
    """What graphql-core says."""
    found = execute(
        schema,
        document,
        context_value=context,
        variable_values=variables,
        operation_name=name,
        is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]
    )
    return said(await found if inspect.isawaitable(found) else found)


async def by_plan(plan: Plan, variables: dict[str, Any], context: Any) -> Said:
    """What the plan says."""
    return said(await plan.execute(context, variables))


def operation_of(schema: GraphQLSchema, text: str, name: str = "Asked") -> tuple[DocumentNode, OperationDefinitionNode] | None:
    """The document and its operation; None for one that is not valid."""
    document = parse(text)
    if validate(schema, document):
        return None
    operations = (each for each in document.definitions if isinstance(each, OperationDefinitionNode))
    return document, next(each for each in operations if each.name and each.name.value == name)
