"""A document compiled: what to read, what to load, what to call, level by level.

    query { companies(limit: 2) { edges { node { id deals(limit: 5) { name stage { name } } } } } }

    Plan
     └ Selection Query            1 object: the root
        └ Resolved companies      one call
           └ Selection Connection     1 object
              └ Attribute edges       one pass: 2 edges
                 └ Selection Edge         2 objects
                    └ Attribute node
                       └ Selection Company    2 objects
                          ├ Attribute id      one pass
                          └ Followed deals    one load with the 2 ids: 10 deals
                             └ Selection Deal     10 objects
                                ├ Attribute name  one pass
                                └ Followed stage  one load with the distinct stage ids
                                   └ Selection Stage  as many objects as there are distinct stages

Each line runs once, however many objects there are: that is all there is to it. ``selection.py`` runs a level, ``fields.py``
has the kinds of fields; ``values.py`` completes their values, with ``leaves.py`` and ``composites.py``; ``faults.py`` knows
where a value stands when it fails. What has to be waited for is a ``Later``, and ``run.py`` goes on when it has come.

Fragments, aliases, merged fields, ``@skip`` and ``@include`` do not exist at run time: there is one tree for each
combination of the variables that those two depend on, compiled when it first occurs.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
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
    OperationType,
    SchemaMetaFieldDef,
    SelectionNode,
    SelectionSetNode,
    TypeMetaFieldDef,
    TypeNameMetaFieldDef,
    ValueNode,
    VariableNode,
    default_field_resolver,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution.values import get_variable_values
from strawberry.types.field import StrawberryField

from execution.arguments import Arguments, unwrapped
from execution.asked import Asked
from execution.batched import BATCHED
from execution.composites import AbstractOf, ListOf, ObjectOf
from execution.faults import Origin, end_all, settle
from execution.fields import Attribute, Field, Followed, Resolved, Typename
from execution.leaves import Leaf
from execution.run import Run
from execution.selection import Selection
from execution.values import Inside, Position

# Combinations of conditions kept for one operation; there could be two to the power of its variables.
MOST_VARIANTS = 32
# As graphql-core does where it is not told otherwise.
MOST_COERCION_ERRORS = 50
# Levels on each other in one go: each is some frames, and Python allows 1,000.
LEVELS_IN_ONE_GO = 32
CONDITIONS = ("skip", "include")
# The fields that no type declares (specification, section 4): the last two are of the root of a query.
META = {"__typename": TypeNameMetaFieldDef, "__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}


class Unplannable(Exception):
    """An operation that only graphql-core can execute; the message says what is in it."""


def compile_plan(schema: strawberry.Schema, document: DocumentNode, operation: OperationDefinitionNode) -> "Plan":
    """The plan of an operation of a valid document. Raises Unplannable."""
    if operation.operation is OperationType.SUBSCRIPTION:
        raise Unplannable("a subscription")
    return Plan(schema, document, operation)


class Plan:
    """One operation, ready to be executed any number of times."""

    def __init__(self, schema: strawberry.Schema, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._operation = operation
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        conditions = list(self._condition_values())
        self._conditions = sorted({each.name.value for each in conditions if isinstance(each, VariableNode)})
        self._variants: OrderedDict[tuple[bool, ...], Selection] = OrderedDict()
        # Whether all of it can be planned shows when it is compiled with nothing left out.
        try:
            everything = Compiler(schema, operation, self._fragments, None).root()
        except RecursionError:
            raise Unplannable("fields nested too deeply") from None
        if not conditions:
            self._variants[()] = everything

    async def execute(self, context: Any, variables: dict[str, Any] | None) -> ExecutionResult:
        """What the operation answers: data, errors, or both (specification, section 6), errors in the order of the document.

        Raises Unplannable, before anything is executed, if a variable of ``@skip`` or ``@include`` is null.
        """
        coerced = get_variable_values(
            self._schema._schema,
            self._operation.variable_definitions or (),
            variables or {},
            max_errors=MOST_COERCION_ERRORS,
        )
        if isinstance(coerced, list):
            return ExecutionResult(None, coerced)
        run = Run(self._schema._schema, self._operation, self._fragments, context, coerced)
        root = self._variant(coerced.coerced)
        try:
            if self._operation.operation is OperationType.MUTATION:
                data = await self._serially(run, root)
            else:
                (data,) = root.run(run, [None], Origin())
                await run.finish()
        except BaseException:
            await run.abandon()
            raise
        if not run.faults:
            return ExecutionResult(data)
        return ExecutionResult(*settle(data, run.faults))

    async def _serially(self, run: Run, root: Selection) -> dict[str, Any]:
        """One field after the other to its end: the root of a mutation (specification, section 6.2.2)."""
        row = root.blank()
        for field in root.fields:
            root.start(run, field, row)
            await run.finish()
            if run.faults and end_all(run.faults):
                break
        return row

    def _variant(self, variables: dict[str, Any]) -> Selection:
        """The tree for these variables."""
        if not all(isinstance(variables.get(name), bool) for name in self._conditions):
            raise Unplannable("a condition that is null")
        key = tuple(variables[name] for name in self._conditions)
        found = self._variants.get(key)
        if found is None:
            conditions = dict(zip(self._conditions, key, strict=True))
            found = self._variants[key] = Compiler(self._schema, self._operation, self._fragments, conditions).root()
            if len(self._variants) > MOST_VARIANTS:
                self._variants.popitem(last=False)
        return found

    def _condition_values(self) -> Iterator[ValueNode]:
        """Those of the operation and of the fragments it spreads: other operations have variables of their own."""
        sets, spread = [self._operation.selection_set], set[str]()
        while sets:
            for node in sets.pop().selections:
                for directive in node.directives or ():
                    if directive.name.value in CONDITIONS:
                        yield from (argument.value for argument in directive.arguments or ())
                    else:
                        raise Unplannable(f"@{directive.name.value}")
                if isinstance(node, FragmentSpreadNode):
                    if node.name.value not in spread:
                        spread.add(node.name.value)
                        sets.append(self._fragments[node.name.value].selection_set)
                elif node.selection_set is not None:  # type: ignore[attr-defined]
                    sets.append(node.selection_set)  # type: ignore[attr-defined]


class Compiler:
    """Makes the tree of an operation. ``conditions`` are the variables of ``@skip`` and ``@include``; None: all is in it."""

    def __init__(
        self,
        schema: strawberry.Schema,
        operation: OperationDefinitionNode,
        fragments: dict[str, FragmentDefinitionNode],
        conditions: dict[str, bool] | None,
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
        if self._conditions is None:
            return True
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
        return field

    def _resolving(self, definition: GraphQLField, node: FieldNode, place: tuple[Any, ...]) -> Field:
        """How a field is resolved, as its declaration says."""
        if definition is TypeNameMetaFieldDef:
            return Typename(*place)
        declared = (definition.extensions or {}).get("strawberry-definition")
        if isinstance(declared, StrawberryField):
            if BATCHED in declared.metadata:
                return Followed(declared.metadata[BATCHED], Arguments(self._schema, definition, node, declared), *place)
            if declared.is_basic_field and self._schema.config.default_resolver is getattr and not self._handles_exceptions:
                return Attribute(declared.python_name, *place)
            if not declared.extensions and not self._handles_exceptions and not declared.is_basic_field:
                arguments = Arguments(self._schema, definition, node, declared)
                return Resolved(unwrapped(declared, self._schema.config.info_class), arguments, *place)
        return Resolved(definition.resolve or default_field_resolver, Arguments(self._schema, definition, node), *place)

    @property
    def _handles_exceptions(self) -> bool:
        """Whether an exception of an attribute may become a value, which Strawberry's own resolver sees to."""
        return bool(getattr(self._schema, "exception_handlers", ()))

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
        objects = {each.name: self._object(field, each) for each in self._types.get_possible_types(kind)}
        return AbstractOf(kind, self._types, objects)

    def _object(self, field: Field, kind: GraphQLObjectType) -> ObjectOf:
        selection = self._selection(kind, [node.selection_set for node in field.nodes if node.selection_set], field)
        return ObjectOf(kind, selection)


def _depth(field: Asked | None) -> int:
    depth = 0
    while field is not None:
        depth, field = depth + 1, field.above
    return depth
