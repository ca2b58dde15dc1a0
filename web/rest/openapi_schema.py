"""JSON schemas of what a document answers and of the variables it takes (JSON Schema 2020-12, which OpenAPI 3.1 uses)."""

from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    type_from_ast,
    value_from_ast_untyped,
)

SCALARS: dict[str, dict[str, Any]] = {
    "ID": {"type": "string", "format": "uuid"},
    "String": {"type": "string"},
    "Int": {"type": "integer"},
    "Float": {"type": "number"},
    "Boolean": {"type": "boolean"},
    "Money": {"type": "number"},
    "Date": {"type": "string", "format": "date"},
    "DateTime": {"type": "string", "format": "date-time"},
}


def output_schema(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> dict[str, Any]:
    """The schema of the ``data`` that an operation answers with."""
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    root = schema.get_root_type(operation.operation)
    assert root is not None
    return _Selecting(schema, fragments).object(root, operation.selection_set)


def input_schema(schema: GraphQLSchema, operation: OperationDefinitionNode) -> dict[str, Any]:
    """The schema of an object with the variables of an operation."""
    properties, required = {}, []
    for each in operation.variable_definitions or ():
        name, kind = each.variable.name.value, type_from_ast(schema, each.type)
        properties[name] = _given(kind)
        if each.default_value is not None:
            properties[name] = {**properties[name], "default": value_from_ast_untyped(each.default_value)}
        elif isinstance(kind, GraphQLNonNull):
            required.append(name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


class _Selecting:
    def __init__(self, schema: GraphQLSchema, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._schema = schema
        self._fragments = fragments

    def object(self, kind: Any, selected: SelectionSetNode) -> dict[str, Any]:
        """The schema of an object of that type with the selected fields."""
        properties: dict[str, Any] = {}
        required: list[str] = []
        self._add(kind, selected, properties, required, is_always=True)
        return {"type": "object", "properties": properties, "required": required}

    def _add(
        self, kind: Any, selected: SelectionSetNode, properties: dict[str, Any], required: list[str], *, is_always: bool
    ) -> None:
        for each in selected.selections:
            is_sure = is_always and not each.directives
            if isinstance(each, FieldNode):
                name = each.alias.value if each.alias else each.name.value
                field = self._schema.get_field(kind, each.name.value)
                assert field is not None
                properties[name] = {**self._value(field.type, each.selection_set), "description": field.description or ""}
                if is_sure:
                    required.append(name)
                continue
            inner = self._fragments[each.name.value] if isinstance(each, FragmentSpreadNode) else each
            assert isinstance(inner, (FragmentDefinitionNode, InlineFragmentNode))
            narrowed = self._schema.get_type(inner.type_condition.name.value) if inner.type_condition else kind
            self._add(narrowed, inner.selection_set, properties, required, is_always=is_sure and narrowed is kind)

    def _value(self, kind: Any, selected: SelectionSetNode | None) -> dict[str, Any]:
        if isinstance(kind, GraphQLNonNull):
            return self._present(kind.of_type, selected)
        return _nullable(self._present(kind, selected))

    def _present(self, kind: Any, selected: SelectionSetNode | None) -> dict[str, Any]:
        if isinstance(kind, GraphQLList):
            return {"type": "array", "items": self._value(kind.of_type, selected)}
        if isinstance(kind, (GraphQLObjectType, GraphQLInterfaceType)):
            assert selected is not None
            return self.object(kind, selected)
        return _leaf(kind)


def _leaf(kind: Any) -> dict[str, Any]:
    if isinstance(kind, GraphQLEnumType):
        return {"type": "string", "enum": list(kind.values)}
    return SCALARS[kind.name]


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    found = {**schema, "type": [schema["type"], "null"]}
    return found | ({"enum": [*schema["enum"], None]} if "enum" in schema else {})


def _given(kind: Any) -> dict[str, Any]:
    if isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
        if isinstance(kind, GraphQLList):
            return {"type": "array", "items": _given(kind.of_type)}
        if isinstance(kind, GraphQLInputObjectType):
            fields = {name: {**_given(each.type), "description": each.description or ""} for name, each in kind.fields.items()}
            return {"type": "object", "properties": fields, "additionalProperties": False}
        return _leaf(kind)
    return _nullable(_given(GraphQLNonNull(kind)))
