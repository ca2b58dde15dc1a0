"""Resolvers that graphql-core calls without Strawberry's wrapping.

Strawberry makes an ``Info`` and converts arguments for each value of each field: a third of the time of a query. A
field that only reads an attribute of its row, or whose declaration brings a function of (row, info, limit), needs
neither: graphql-core's own info has the context, and a limit is an integer in both.
"""

from operator import attrgetter
from typing import Any

import strawberry
from graphql import GraphQLField, GraphQLObjectType
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

# In a field's metadata: the function that resolves it.
DIRECT = "direct"


def resolve_directly(schema: strawberry.Schema) -> None:
    """Puts direct resolvers into every field of the schema that can have one."""
    for kind in schema._schema.type_map.values():
        definition = kind.extensions.get("strawberry-definition") if kind.extensions else None
        if isinstance(kind, GraphQLObjectType) and isinstance(definition, StrawberryObjectDefinition):
            for field in definition.fields:
                _resolve_directly(field, kind.fields[schema.config.name_converter.get_graphql_name(field)])


def _resolve_directly(field: StrawberryField, served: GraphQLField) -> None:
    if DIRECT in field.metadata:
        served.resolve = field.metadata[DIRECT]
    elif field.is_basic_field:
        served.resolve = _reader(field.python_name)


def _reader(name: str) -> Any:
    read = attrgetter(name)
    return lambda row, info: read(row)
