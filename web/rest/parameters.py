"""The parameters of a REST path: the variables of its document, under the names that REST clients expect.

``$first`` is ``limit``, ``$after`` is ``cursor``, and ``before`` pages backwards; a ``$filter`` is one parameter for each of
its fields, ``$sort`` is a name such as ``value``, or ``-value`` for descending. Everything else is called what it is. Types,
values and descriptions are those of the schema. An empty value is as good as none.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from graphql import (
    ArgumentNode,
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLSchema,
    IntValueNode,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    get_named_type,
    get_nullable_type,
    is_list_type,
    visit,
)

from core.errors import AppError, BadInput, BadRequest
from resolvers.arguments import PAGE_DEFAULT, PAGE_MOST
from schema.operation import Document
from web.rest.values import SIZES, TEXTS, boolean, one_of, reading_of

NAMES = {"first": "limit", "after": "cursor", "withCount": "count"}
SAID = {
    "count": "Whether to count the whole list: `pageInfo.totalCount`.",
    "cursor": "Go on after this: the `pageInfo.endCursor` of the page before.",
    "before": "Go back: what comes before this, the `pageInfo.startCursor` of the page after.",
    "refresh": "Whether to make the answer now, whatever is kept.",
}


class UnknownParameter(BadRequest):
    """A parameter that the path does not take: a filter that is misspelt would bring everything."""

    code = "UNKNOWN_PARAMETER"


class WrongParameters(Exception):
    """Invalid parameters, each with the reason; ``count`` of all, if these are only the first."""

    kind: ClassVar[Literal["parameter", "field"]] = "parameter"

    def __init__(self, errors: "list[tuple[str, AppError]]", count: int | None = None) -> None:
        super().__init__()
        self.errors = errors
        self.count = len(errors) if count is None else count


class WrongFields(WrongParameters):
    """Invalid fields of a body."""

    kind = "field"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: where it goes among the variables, how its text is read, and its JSON schema."""

    name: str
    place: Literal["path", "query"]
    variable: tuple[str, ...]
    read: Callable[[str], Any]
    schema: Mapping[str, Any]
    description: str
    is_many: bool = False


@dataclass(frozen=True, slots=True)
class Given:
    """What a request gives: the variables of the document, and whether the answer is to be made now."""

    variables: dict[str, Any]
    refresh: bool


def parameters_of(
    schema: GraphQLSchema, document: Document, operation: OperationDefinitionNode, path: str
) -> dict[str, Parameter]:
    """The parameters of a query that is served at a path, by name. Raises ValueError saying what cannot be served."""
    found = [_refresh()]
    defined = operation.variable_definitions or ()
    usual = {each.variable.name.value: each.default_value for each in defined}
    for variable, argument in _arguments(schema, document).items():
        kind = get_nullable_type(argument.type)
        if variable == "filter" and isinstance(kind, GraphQLInputObjectType):
            found += (
                _parameter(name, ("filter", name), name, field.type, field.description)
                for name, field in kind.fields.items()
            )
        elif variable == "sort" and isinstance(kind, GraphQLInputObjectType):
            found.append(_sort(kind))
        elif variable != "last":  # `before` takes `limit` from the end
            name = NAMES.get(variable, variable)
            said = SAID.get(name, argument.description)
            if argument.name in SIZES:
                size = usual[variable]
                most = size.value if isinstance(size, IntValueNode) else PAGE_DEFAULT
                said = f"How many: 0 to {PAGE_MOST}. {most} if nothing is said."
            found.append(_parameter(name, (variable,), argument.name, argument.type, said, is_in_path=f"{{{name}}}" in path))
    by_name = {each.name: each for each in found}
    if len(by_name) < len(found):
        raise ValueError("would have two parameters of one name")
    for each in defined:
        name = each.variable.name.value
        is_needed = each.type.kind == "non_null_type" and each.default_value is None
        if is_needed and f"{{{name}}}" not in path:
            raise ValueError(f"does not say what ${name} is")
    return by_name


def given(parameters: Mapping[str, Parameter], in_path: Mapping[str, str], pairs: Iterable[tuple[str, str]]) -> Given:
    """What the parameters of a request say. Raises WrongParameters with all that are wrong."""
    texts: dict[str, list[str]] = {name: [text] for name, text in in_path.items()}
    wrong: list[tuple[str, AppError]] = []
    for name, text in pairs:
        known = parameters.get(name)
        if known is None or known.place == "path":
            there = ", ".join(sorted(each.name for each in parameters.values() if each.place == "query"))
            here = f"There are {there}." if there else "There are none."
            wrong.append((name, UnknownParameter(f"{name[:50]}: there is no such parameter here. {here}")))
        elif text:
            texts.setdefault(name, []).append(text)
    variables: dict[str, Any] = {}
    for name, values in texts.items():
        try:
            _put(variables, parameters[name], values)
        except BadInput as error:
            wrong.append((name, error))
    refresh = variables.pop("refresh", False) is True
    if variables.get("after") is not None and variables.get("before") is not None:
        wrong.append(("before", BadInput("before: not together with cursor. A page goes one way.")))
    if wrong:
        raise WrongParameters(wrong)
    if "before" in variables:
        variables["last"] = variables.pop("first", PAGE_DEFAULT)
    return Given(variables, refresh)


def _put(variables: dict[str, Any], parameter: Parameter, texts: list[str]) -> None:
    if len(texts) > 1 and not parameter.is_many:
        raise BadInput(f"{parameter.name}: is given {len(texts)} times.")
    values = [parameter.read(text) for text in texts]
    inner = variables
    for name in parameter.variable[:-1]:
        inner = inner.setdefault(name, {})
    inner[parameter.variable[-1]] = values if parameter.is_many else values[0]


def _arguments(schema: GraphQLSchema, document: Document) -> dict[str, "_Named"]:
    """The arguments that the variables of a document are given to, by the name of the variable."""
    assert document.node is not None
    types = TypeInfo(schema)
    found: dict[str, _Named] = {}

    class Finding(Visitor):
        def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
            argument = types.get_argument()
            if isinstance(node.value, VariableNode) and argument is not None:
                found.setdefault(node.value.name.value, _Named(node.name.value, argument))

    visit(document.node, TypeInfoVisitor(types, Finding()))
    return found


@dataclass(frozen=True, slots=True)
class _Named:
    name: str
    argument: GraphQLArgument

    @property
    def type(self) -> GraphQLInputType:
        return self.argument.type

    @property
    def description(self) -> str | None:
        return self.argument.description


def _parameter(
    name: str,
    variable: tuple[str, ...],
    argument: str,
    kind: GraphQLInputType,
    said: str | None,
    *,
    is_in_path: bool = False,
) -> Parameter:
    is_many = is_list_type(get_nullable_type(kind))
    read, schema = reading_of(name, argument, get_named_type(kind))
    return Parameter(
        name, "path" if is_in_path else "query", variable, read,
        {"type": "array", "items": schema, "maxItems": PAGE_MOST} if is_many else schema,
        said or "", is_many,
    )  # fmt: skip


def _refresh() -> Parameter:
    return Parameter("refresh", "query", ("refresh",), boolean("refresh"), TEXTS["Boolean"], SAID["refresh"])


def _sort(kind: GraphQLInputObjectType) -> Parameter:
    keys = get_named_type(kind.fields["by"].type)
    assert isinstance(keys, GraphQLEnumType)
    names = {_camel(key): key for key in keys.values}
    known = [sign + name for name in names for sign in ("", "-")]

    def read(text: str) -> dict[str, str]:
        found = one_of("sort", known)(text)
        return {"by": names[found.removeprefix("-")], "direction": "DESC" if found.startswith("-") else "ASC"}

    by, direction = kind.fields["by"].default_value, kind.fields["direction"].default_value
    usual = ("-" if direction.value == "DESC" else "") + _camel(by.value)
    said = " ".join(f"`{name}`: {keys.values[key].description}" for name, key in names.items())
    said += f" With `-` before it the largest or latest comes first. `{usual}` if nothing is said, and for a search the best."
    return Parameter("sort", "query", ("sort",), read, {"type": "string", "enum": known}, said)


def _camel(name: str) -> str:
    first, *rest = name.lower().split("_")
    return first + "".join(each.capitalize() for each in rest)
