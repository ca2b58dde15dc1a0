"""Validation (GraphQL specification, section 5): graphql-core's rules, of which each says where it is broken."""

import math
from typing import Any

from graphql import (
    SKIP,
    FloatValueNode,
    GraphQLError,
    GraphQLFloat,
    GraphQLInputType,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    ValidationRule,
    ValueNode,
    ValuesOfCorrectTypeRule,
    VisitorAction,
    get_named_type,
    specified_rules,
)
from graphql.utilities.validate_input_value import validate_input_literal

# No number of the schema has as many. Python refuses 4,300 with advice on how to raise its limit, which is nothing for clients.
MOST_DIGITS = 400


class ValuesThatFit(ValuesOfCorrectTypeRule):
    """As graphql-core's, where a scalar's own error, which knows no place, is that of the value itself."""

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> VisitorAction:
        """Reports whatever in the value does not fit its type."""
        if input_type:
            validate_input_literal(
                node,
                input_type,
                lambda error, path: self.report_error(_placed(error, _at(node, path))),
                None,
                None,
                self.context.hide_suggestions,
            )
        return SKIP


def _placed(error: GraphQLError, node: Any) -> GraphQLError:
    if isinstance(node, IntValueNode) and len(node.value) > MOST_DIGITS:
        return GraphQLError(f"A number may have {MOST_DIGITS} digits at most, not {len(node.value)}.", node)
    return error if error.locations else GraphQLError(error.message, node, original_error=error.original_error)


def _at(node: Any, path: list[str | int]) -> Any:
    """The value at a path within another one, as far as it is there."""
    for step in path:
        if isinstance(node, ObjectValueNode):
            node = next((each.value for each in node.fields if each.name.value == step), node)
        elif isinstance(node, ListValueNode) and isinstance(step, int):
            node = node.values[step]
    return node


class FiniteFloats(ValidationRule):
    """A Float that no double holds is refused (section 3.5.2), in literals as graphql-core does in variables."""

    def enter_float_value(self, node: FloatValueNode | IntValueNode, *_: Any) -> None:
        """Looks at a number, if a Float is wanted."""
        wanted = self.context.get_input_type()
        if get_named_type(wanted) is GraphQLFloat and not math.isfinite(float(node.value)):
            self.report_error(GraphQLError("Float cannot represent a number that is not finite.", node))

    enter_int_value = enter_float_value


RULES = [ValuesThatFit if each is ValuesOfCorrectTypeRule else each for each in specified_rules] + [FiniteFloats]
