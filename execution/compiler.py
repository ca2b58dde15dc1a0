"""A document made into the tree of a plan: which fields its selection sets have for each type, and of which kind each is."""

from functools import partial
from typing import Any

import strawberry
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SchemaMetaFieldDef,
    SelectionNode,
    SelectionSetNode,
    TypeMetaFieldDef,
    TypeNameMetaFieldDef,
    VariableNode,
    default_field_resolver,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from strawberry.types.field import StrawberryField

from execution.arguments import Arguments, unwrapped
from execution.asked import Asked
from execution.batched import BATCHED
from execution.composites import AbstractOf, ListOf, ObjectOf
from execution.fields import Attribute, Field, Followed, Resolved, Typename
from execution.leaves import Leaf
from execution.selection import Selection
from execution.values import Inside, Position

# Levels on each other in one go: each is some frames, and Python allows 1,000.
LEVELS_IN_ONE_GO = 32
# The fields that no type declares (specification, section 4): the last two are of the root of a query.
META = {"__typename": TypeNameMetaFieldDef, "__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}


class Compiler:
    """Makes the tree of an operation. ``conditions`` are the variables of ``@skip`` and ``@include``."""

    def __init__(
        self,
        schema: strawberry.Schema,
        operation: OperationDefinitionNode,
        fragments: dict[str, FragmentDefinitionNode],
        conditions: dict[str, bool],
    ) -> None:
        self._schema = schema
        self._types = schema._schema
        self._operation = operation
        self._fragments = fragments
        self._conditions = conditions

    def root(self) -> Selection:
        """The selection of the root object."""
        kind = self._types.get_root_type(self._operation.operation)
        assert kind is not None
        return self._selection(kind, [self._operation.selection_set], None)

    def _selection(self, kind: GraphQLObjectType, sets: list[SelectionSetNode], above: Field | None) -> Selection:
        nodes: dict[str, list[FieldNode]] = {}
        visited: set[str] = set()
        for each in sets:
            self._collect(kind, each, nodes, visited)
        fields = [self._field(kind, key, at, nodes[key], above) for at, key in enumerate(nodes)]
        return Selection(fields, is_put_off=_depth(above) % LEVELS_IN_ONE_GO == LEVELS_IN_ONE_GO - 1)

    def _collect(
        self, kind: GraphQLObjectType, selected: SelectionSetNode, into: dict[str, list[FieldNode]], visited: set[str]
    ) -> None:
        """The fields of a selection set for that type, by response key (specification, section 6.3.2)."""
        for node in selected.selections:
            if not self._is_included(node):
                continue
            if isinstance(node, FieldNode):
                into.setdefault((node.alias or node.name).value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                if node.type_condition is None or self._applies(node.type_condition.name.value, kind):
                    self._collect(kind, node.selection_set, into, visited)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in visited:
                visited.add(node.name.value)
                fragment = self._fragments[node.name.value]
                if self._applies(fragment.type_condition.name.value, kind):
                    self._collect(kind, fragment.selection_set, into, visited)

    def _is_included(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            (argument,) = directive.arguments or ()
            value = argument.value
            said = self._conditions[value.name.value] if isinstance(value, VariableNode) else value.value  # type: ignore[attr-defined]
            if said is (directive.name.value == "skip"):
                return False
        return True

    def _applies(self, name: str, kind: GraphQLObjectType) -> bool:
        condition = self._types.type_map[name]
        return condition is kind or (is_abstract_type(condition) and self._types.is_sub_type(condition, kind))

    def _field(self, kind: GraphQLObjectType, key: str, order: int, nodes: list[FieldNode], above: Field | None) -> Field:
        name = nodes[0].name.value
        definition = kind.fields[name] if name in kind.fields else META[name]
        place = (key, order, nodes, kind, definition, above)
        field = self._resolving(definition, nodes[0], place)
        field.position = self._position(field, definition.type)
        field.along = field.position.inside.along
        return field

    def _resolving(self, definition: GraphQLField, node: FieldNode, place: tuple[Any, ...]) -> Field:
        """How a field is resolved, as its declaration says."""
        if definition is TypeNameMetaFieldDef:
            return Typename(*place)
        declared = (definition.extensions or {}).get("strawberry-definition")
        # Permissions are extensions, and have a say before anything is loaded.
        if isinstance(declared, StrawberryField) and not declared.extensions and self._is_plain(declared):
            if BATCHED in declared.metadata:
                return Followed(declared.metadata[BATCHED], Arguments(self._schema, definition, node, declared), *place)
            if declared.is_basic_field and self._schema.config.default_resolver is getattr:
                return Attribute(declared.python_name, *place)
            if declared.base_resolver is not None:
                arguments = Arguments(self._schema, definition, node, declared)
                resolve, wants_info = unwrapped(declared, self._schema.config.info_class)
                return Resolved(resolve, arguments, *place, wants_info=wants_info)
        return Resolved(definition.resolve or default_field_resolver, Arguments(self._schema, definition, node), *place)

    def _is_plain(self, declared: StrawberryField) -> bool:
        """Whether a field gives what its resolver does, and an exception is one: Strawberry's own resolver sees to the rest."""
        is_usual = type(declared).get_result is StrawberryField.get_result
        return is_usual and not getattr(self._schema, "exception_handlers", ())

    def _position(self, field: Field, kind: GraphQLOutputType) -> Position:
        inner = kind.of_type if is_non_null_type(kind) else kind
        return Position(field, self._inside(field, inner), is_nullable=not isinstance(kind, GraphQLNonNull))

    def _inside(self, field: Field, kind: Any) -> Inside:
        if is_leaf_type(kind):
            return Leaf(kind)
        if is_list_type(kind):
            assert isinstance(kind, GraphQLList)
            return ListOf(self._position(field, kind.of_type))
        if isinstance(kind, GraphQLObjectType):
            return self._object(field, kind)
        assert isinstance(kind, GraphQLAbstractType)
        return AbstractOf(kind, self._types, partial(self._object, field))

    def _object(self, field: Field, kind: GraphQLObjectType) -> ObjectOf:
        selection = self._selection(kind, [node.selection_set for node in field.nodes if node.selection_set], field)
        return ObjectOf(kind, selection)


def _depth(field: Asked | None) -> int:
    depth = 0
    while field is not None:
        depth, field = depth + 1, field.above
    return depth
