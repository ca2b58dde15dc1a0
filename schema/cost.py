"""What an operation costs: estimated from document and variables before it runs, counted from its answer afterwards.

The document is compiled once to the fields that cost anything, each with what it weighs and how many there are; what
depends on no variable is one number then. A request only applies its variables: the dashboard of
``bench/scenarios.py`` takes 1 microsecond as it is, and 11 with every limit in a variable.

Fields are merged as execution merges them (GraphQL specification, 6.3.2), so that what several fragments select is
counted once. Of the types that an interface can be, the dearest counts. An answer has at most what was estimated,
except where a list that has no size is longer than usual. What fields cost is said where they are declared: ``price.py``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import strawberry
from graphql import (
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_composite_type,
    is_list_type,
    is_object_type,
    value_from_ast_untyped,
)

from schema.part import Condition, Given, Number, Part, Variables, page_size, total
from schema.price import MUTATION, USUAL_SIZE, Each, Extra, PageSize, Price, price_of, said_of

COST_ESTIMATED_TOO_EXPENSIVE = "COST_ESTIMATED_TOO_EXPENSIVE"
# As much as an ``Int`` of GraphQL holds: ten pages of 100 within each other would be 10**20.
MOST = 2**31 - 1
# Selections looked at for one plan, fragments included: ten times what a document may have that is not trusted.
MOST_SELECTIONS = 20_000
ALWAYS: Condition = frozenset()

Uses: TypeAlias = list[tuple[SelectionSetNode, Condition]]


@dataclass(frozen=True, slots=True)
class Cost:
    """An estimate: what is ``requested`` with certain variables."""

    requested: int
    parts: Sequence[Part]
    variables: Variables

    @property
    def dearest(self) -> str:
        """The field that bears most of it: the last on the way down with more than half of the cost; "" if all is free."""
        total = sum(part.cost(self.variables) for part in self.parts)
        path: list[str] = []
        parts, times = self.parts, 1
        while parts:
            cost, part = max(((part.cost(self.variables), part) for part in parts), key=lambda pair: pair[0])
            if not cost or (path and 2 * times * cost <= total):
                break
            path.append(part.name)
            times *= part.times(self.variables)
            parts = part.dearest_kind(self.variables)
        return ".".join(path)


class CostPlan:
    """What an operation costs, but for its variables."""

    def __init__(self, parts: Sequence[Part], defaults: Variables) -> None:
        self._known = sum(part.constant for part in parts if part.constant is not None)
        self._moving = [part for part in parts if part.constant is None]
        self._parts = parts
        self._defaults = defaults

    def estimate(self, variables: Variables) -> Cost:
        """The cost with these variables, as a request brings them: not checked, and without their defaults."""
        given = {**self._defaults, **variables}
        requested = self._known + sum([part.cost(given) for part in self._moving])
        return Cost(min(requested, MOST), self._parts, given)

    def actual(self, data: Mapping[str, Any] | None, variables: Variables) -> int:
        """The cost of what was answered: the same sum over the objects that are there."""
        given = {**self._defaults, **variables}
        answered = [(part, None if data is None else data.get(part.name)) for part in self._parts]
        return min(sum(part.spent([value], given) for part, value in answered if value is not None), MOST)


def cost_plan(schema: strawberry.Schema, document: DocumentNode, operation: OperationDefinitionNode) -> CostPlan:
    """The plan of an operation of a valid document. One with too many selections to count costs more than anything."""
    return _Compiler(schema._schema, document).plan(operation)


def too_expensive(cost: Cost, limit: int, operation: OperationDefinitionNode) -> GraphQLError:
    """The error for an operation that may not cost so much."""
    message = (
        f"The operation is estimated to cost {cost.requested:,}; {limit:,} is the limit. "
        f"Most of it is {cost.dearest}: ask for smaller pages on the way there."
    )
    extensions = {"code": COST_ESTIMATED_TOO_EXPENSIVE, "cost": cost.requested, "limit": limit, "dearest": cost.dearest}
    return GraphQLError(message, [operation], extensions=extensions)


def as_extension(requested: int, actual: int | None = None, throttle_status: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """``extensions.cost`` of an answer, in the shape of Shopify's; the actual cost is null if nothing was executed."""
    shown: dict[str, Any] = {"requestedQueryCost": requested, "actualQueryCost": actual}
    return shown if throttle_status is None else shown | {"throttleStatus": throttle_status}


class _TooManyError(Exception):
    """The fragments of a document make it too large to count."""


class _Compiler:
    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        definitions = [each for each in document.definitions if isinstance(each, FragmentDefinitionNode)]
        self._fragments = {each.name.value: each for each in definitions}
        self._left = MOST_SELECTIONS

    def plan(self, operation: OperationDefinitionNode) -> CostPlan:
        root = self._schema.get_root_type(operation.operation)
        defaults = {
            each.variable.name.value: value_from_ast_untyped(each.default_value)
            for each in operation.variable_definitions or ()
            if each.default_value
        }
        try:
            parts = self._parts(root, [(operation.selection_set, ALWAYS)], USUAL_SIZE) if root else []
        except (_TooManyError, RecursionError):
            parts = [Part("everything", MOST)]
        return CostPlan(parts, defaults)

    def _parts(self, kind: GraphQLObjectType, uses: Uses, asked: Number) -> list[Part]:
        """The fields of an object that cost anything; ``asked`` is the size that its own field was asked for."""
        parts = [self._part(kind, name, fields, asked) for name, fields in self._collect(kind, uses).items()]
        return [part for part in parts if part is not None and part.constant != 0]

    def _collect(self, kind: GraphQLObjectType, uses: Uses) -> dict[str, list[tuple[FieldNode, Condition]]]:
        """The fields by their names in the answer, and under which condition each is asked for."""
        found: dict[str, list[tuple[FieldNode, Condition]]] = {}
        waiting, spread = list(uses), set[tuple[str, Condition]]()
        for braces, outer in waiting:
            self._left -= len(braces.selections)
            if self._left < 0:
                raise _TooManyError
            for each in braces.selections:
                when = _when(each, outer)
                if when is None:
                    continue
                if isinstance(each, FieldNode):
                    found.setdefault(each.alias.value if each.alias else each.name.value, []).append((each, when))
                elif isinstance(each, InlineFragmentNode) and self._fits(kind, each.type_condition):
                    waiting.append((each.selection_set, when))
                elif isinstance(each, FragmentSpreadNode) and (each.name.value, when) not in spread:
                    spread.add((each.name.value, when))
                    fragment = self._fragments.get(each.name.value)
                    if fragment and self._fits(kind, fragment.type_condition):
                        waiting.append((fragment.selection_set, when))
        return found

    def _fits(self, kind: GraphQLObjectType, condition: NamedTypeNode | None) -> bool:
        wanted: GraphQLNamedType | None = kind if condition is None else self._schema.get_type(condition.name.value)
        return wanted is kind or (is_abstract_type(wanted) and self._schema.is_sub_type(wanted, kind))

    def _part(
        self, kind: GraphQLObjectType, name: str, fields: list[tuple[FieldNode, Condition]], asked: Number
    ) -> Part | None:
        node = fields[0][0]
        field = self._schema.get_field(kind, node.name.value)
        if field is None:
            return None
        price, named = price_of(field, node.name.value), get_named_type(field.type)
        asked_here, added = _arguments(node, field, price)
        # Where a field is once, what is below it need not ask again whether the field is there at all.
        below = [(each.selection_set, when if len(fields) > 1 else ALWAYS) for each, when in fields if each.selection_set]
        possible = self._schema.get_possible_types(named) if is_abstract_type(named) else [named]
        kinds = [self._parts(each, below, asked_here) for each in possible if is_object_type(each)]
        usual_weight = MUTATION if kind is self._schema.mutation_type else 1 if is_composite_type(named) else 0
        is_list = is_composite_type(named) and is_list_type(get_nullable_type(field.type))
        return Part(
            name,
            weight=usual_weight if price.weight is None else price.weight,
            kinds=kinds,
            size=1 if not is_list else asked if price.as_asked else asked_here,
            added=added,
            when=() if any(when == ALWAYS for _, when in fields) else [when for _, when in fields],
        )


def _arguments(node: FieldNode, field: GraphQLField, price: Price) -> tuple[Number, Number]:
    """The size that is asked for, and what the arguments cost by themselves."""
    written = {each.name.value: each.value for each in node.arguments or ()}
    size: Number = USUAL_SIZE if price.size is None else price.size
    page_sizes, added = list[Given](), list[Number]()
    for name, argument in field.args.items():
        said = said_of(argument)
        given = _given(written.get(name), argument)
        if isinstance(said, PageSize):
            page_sizes.append(given)
            size = page_size(page_sizes, said.usual if price.size is None else price.size, said.most)
        elif isinstance(said, Each):
            size = given.number(said.size)
        if isinstance(said, Each | Extra):
            added.append(given.number(said.cost))
    return size, total(added)


def _given(value: ValueNode | None, argument: GraphQLArgument) -> Given:
    if value is None:
        return Given(None if argument.default_value is Undefined else argument.default_value)
    if isinstance(value, VariableNode):
        return Given(variable=value.name.value)
    return Given(value_from_ast_untyped(value))


def _when(selection: SelectionNode, outer: Condition) -> Condition | None:
    """The condition for a selection within another; None if it is never asked for."""
    when = outer
    for directive in selection.directives or ():
        name = directive.name.value
        wanted = name == "include"
        for argument in (directive.arguments or ()) if name in ("include", "skip") else ():
            if isinstance(argument.value, VariableNode):
                when |= {(argument.value.name.value, wanted)}
            elif isinstance(argument.value, BooleanValueNode) and argument.value.value != wanted:
                return None
    return when if len({name for name, _ in when}) == len(when) else None
