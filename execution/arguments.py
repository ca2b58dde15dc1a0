"""The arguments of a field, worked out once for a level, or once for all where no variable is in them; and who takes them."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

from graphql import FieldNode, GraphQLField, Node, VariableNode, get_nullable_type, is_leaf_type
from graphql.execution.values import get_argument_values
from strawberry.relay import GlobalID
from strawberry.schema import Schema
from strawberry.types.arguments import StrawberryArgument, convert_arguments
from strawberry.types.base import StrawberryMaybe, StrawberryOptional
from strawberry.types.field import StrawberryField

from execution.run import Run

# What a resolver cannot change for the next one that gets it.
UNCHANGING = frozenset({str, int, float, bool, type(None), UUID, Decimal, date, datetime})


class Arguments:
    """What a field is given, by name. ``converted_for`` is the Strawberry field whose input types the values are made into.

    Without one they stay as graphql-core coerced them, for a resolver that Strawberry has wrapped. All objects of a level are
    given the same: a resolver must not change a list or an input object that it gets.
    """

    def __init__(
        self, schema: Schema, definition: GraphQLField, node: FieldNode, converted_for: StrawberryField | None = None
    ) -> None:
        self._schema = schema
        self._definition = definition
        self._node = node
        found = () if converted_for is None else _conversions(schema, definition, converted_for)
        self._conversions = {each.name: each for each in found}
        # Each argument that is a variable, and the name of that; None where a variable stands inside of a list or an object.
        varying = [each for each in node.arguments or () if _has_variable(each)]
        variables = {
            definition.args[each.name.value].out_name or each.name.value: each.value.name.value
            for each in varying
            if isinstance(each.value, VariableNode)
        }
        self._variable_of = variables if len(variables) == len(varying) else None
        # All arguments, those that vary as None: filled at the first use, where what is in it cannot be changed.
        self._template: dict[str, Any] | None = None if definition.args else {}

    def of(self, run: Run) -> dict[str, Any]:
        """The arguments in this execution. Raises GraphQLError for one that does not fit."""
        if self._template is None or self._variable_of is None:
            return self._found(run)
        if not self._variable_of:
            return self._template
        found, values = self._template.copy(), run.variables.coerced
        for name, variable in self._variable_of.items():
            value = values.get(variable)
            if value is None:  # null, or not given: which of the two makes a difference
                return self._found(run)
            found[self._python_name(name)] = self._converted(name, value)
        return found

    def _found(self, run: Run) -> dict[str, Any]:
        """As graphql-core finds them, which takes 10 us for a list with all its arguments."""
        raw = get_argument_values(self._definition, self._node, run.variables)
        found = {self._python_name(name): self._converted(name, value) for name, value in raw.items()}
        varying = set(map(self._python_name, self._variable_of or ()))
        if self._variable_of is not None and varying <= found.keys():
            # All in their order, which a resolver that takes any arguments sees; those that vary have no value here.
            constant = {name: None if name in varying else value for name, value in found.items()}
            if all(type(value) in UNCHANGING or isinstance(value, Enum) for value in constant.values()):
                self._template = constant
        return found

    def _python_name(self, name: str) -> str:
        return self._conversions[name].python_name if self._conversions else name

    def _converted(self, name: str, value: Any) -> Any:
        conversion = self._conversions.get(name)
        if conversion is None or conversion.is_leaf or (value is None and conversion.may_be_null):
            return value
        return convert_arguments(
            {conversion.name: value},
            [conversion.argument],
            scalar_registry=self._schema.schema_converter.scalar_registry,
            config=self._schema.config,
        )[conversion.python_name]


class _Conversion(NamedTuple):
    """How an argument becomes a parameter. Leaves stay as they are: Strawberry takes 2 us to find that out, each time."""

    name: str
    python_name: str
    is_leaf: bool
    may_be_null: bool
    argument: StrawberryArgument


def _conversions(schema: Schema, definition: GraphQLField, declared: StrawberryField) -> Iterator[_Conversion]:
    for each in declared.arguments:
        name = schema.config.name_converter.from_argument(each)
        is_maybe = isinstance(each.type, StrawberryMaybe)
        inner = each.type.of_type if isinstance(each.type, StrawberryOptional) else each.type
        is_leaf = is_leaf_type(get_nullable_type(definition.args[name].type)) and not is_maybe and inner is not GlobalID
        yield _Conversion(name, each.python_name, is_leaf, not is_maybe, each)


def _has_variable(node: Node) -> bool:
    if isinstance(node, VariableNode):
        return True
    below = (getattr(node, name) for name in node.keys)
    return any(
        _has_variable(each)
        for value in below
        for each in (value if isinstance(value, (list, tuple)) else (value,))
        if isinstance(each, Node)
    )


def unwrapped(declared: StrawberryField, info_class: type[Any]) -> tuple[Callable[..., Any], bool]:
    """The resolver of a field without extensions, called as Strawberry calls it, and whether it looks at the info.

    It is given arguments that are converted already: Strawberry does that, and looks up the resolver's parameters, for each
    call, in 12 microseconds.
    """
    resolver = declared.base_resolver
    assert resolver is not None
    call = resolver.wrapped_func if callable(resolver.wrapped_func) else resolver  # else the call tells
    as_self = resolver.self_parameter is not None
    by_name = [each.name for each in (resolver.parent_parameter, resolver.root_parameter) if each is not None]
    info_name = resolver.info_parameter.name if resolver.info_parameter else None

    def resolve(source: Any, info: Any, **arguments: Any) -> Any:
        for name in by_name:
            arguments[name] = source
        if info_name is not None:
            arguments[info_name] = info_class(_raw_info=info, _field=declared)
        return call(source, **arguments) if as_self else call(**arguments)

    return resolve, info_name is not None
