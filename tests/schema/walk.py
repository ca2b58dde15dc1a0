"""Every question that the schema can be asked about rows: made from its type map, so that a new field is asked too."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    Undefined,
    get_named_type,
    is_leaf_type,
)


@dataclass(frozen=True, slots=True)
class Question:
    """A document and its variables."""

    text: str
    variables: Mapping[str, Any]


def questions(schema: GraphQLSchema, values: Mapping[str, Sequence[Any]], depth: int) -> Iterator[Question]:
    """Each root with everything below it, so many rows deep: without arguments, and with each argument in turn.

    ``values`` are what an argument is given, by the name of its type; of an input object each field in turn. An argument
    that has to be given takes each of its values.
    """
    assert schema.query_type is not None
    for name, root in schema.query_type.fields.items():
        selection = everything_below(schema, root, depth)
        for given in _arguments(root, values):
            declared = ", ".join(f"${each}: {root.args[each].type}" for each in given)
            passed = ", ".join(f"{each}: ${each}" for each in given)
            text = f"query {f'({declared})' if given else ''} {{ {name}{f'({passed})' if given else ''} {selection} }}"
            yield Question(text, given)


def _arguments(root: GraphQLField, values: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    required = [name for name, each in root.args.items() if isinstance(each.type, GraphQLNonNull) and each.default_value is Undefined]
    if len(required) == 1:
        yield from ({required[0]: value} for value in _values(root.args[required[0]], values))
        return
    yield {}
    for name, argument in root.args.items():
        yield from ({name: value} for value in _values(argument, values))


def _values(argument: GraphQLArgument, values: Mapping[str, Sequence[Any]]) -> Iterator[Any]:
    kind = get_named_type(argument.type)
    if isinstance(kind, GraphQLEnumType):
        yield from kind.values
    elif isinstance(kind, GraphQLInputObjectType):
        needed = {name: next(_values(each, values)) for name, each in kind.fields.items() if isinstance(each.type, GraphQLNonNull)}
        for name, each in kind.fields.items():
            for value in _values(each, values):
                yield needed | {name: [value] if "[" in str(each.type) else value}
    else:
        yield from values[kind.name]


def everything_below(schema: GraphQLSchema, field: GraphQLField, depth: int) -> str:
    """The selection of all that a field answers, so many rows deep; nothing for a leaf."""
    kind = get_named_type(field.type)
    if is_leaf_type(kind):
        return ""
    if isinstance(kind, (GraphQLInterfaceType, GraphQLUnionType)):
        kinds: Sequence[GraphQLObjectType] = schema.get_possible_types(kind)
        # One field of two types may be null in one and not in the other: each has aliases of its own.
        parts = [f"... on {each.name} {{ {_fields(schema, each, depth, each.name.lower())} }}" for each in kinds]
        return f"{{ __typename {' '.join(parts)} }}"
    assert isinstance(kind, GraphQLObjectType)
    return f"{{ __typename {_fields(schema, kind, depth, '')} }}"


def _fields(schema: GraphQLSchema, kind: GraphQLObjectType, depth: int, alias: str) -> str:
    parts = []
    for name, field in kind.fields.items():
        below = get_named_type(field.type)
        is_row = isinstance(below, GraphQLObjectType) and any(each.name == "Node" for each in below.interfaces)
        if is_row and depth == 0:
            continue
        selection = everything_below(schema, field, depth - is_row)
        parts.append(f"{f'{alias}_{name}: ' if alias else ''}{name} {selection}")
    return " ".join(parts)
