"""Random valid documents with variables, for any schema.

Valid by construction: a response name stands for one field with the same arguments wherever it may be merged; a fragment
is spread only once it is finished; an operation declares just the variables that it uses, fragments included.
"""

import random
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import graphql
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    Node,
    OperationDefinitionNode,
    OperationType,
    Undefined,
    VariableNode,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    print_ast,
    type_from_ast,
    visit,
)
from graphql.type import GraphQLArgument, GraphQLInputField

# For each scalar: what may stand for it in a document, and what may be sent in a variable.
SCALARS: dict[str, tuple[tuple[str, ...], tuple[Any, ...]]] = {
    "Int": (("0", "1", "3", "-2", "2147483647"), (0, 1, 2, -5, 3.0)),
    "Float": (("0", "1.5", "-2e3"), (0, 2.5, 7)),
    "String": (('"a"', '""', '"quoted \\" and \\u00e9"', '"""block"""'), ("a", "", "é\u2028\n")),
    "Boolean": (("true", "false"), (True, False)),
    "ID": (('"a"', "5", '"01890a5d-ac96-774b-bcce-b302099a8057"'), ("a", 5, "01890a5d-ac96-774b-bcce-b302099a8057")),
    "DateTime": (('"2026-03-04T05:06:07Z"', '"2026-03-04T05:06:07.5+02:00"'), ("2026-03-04T05:06:07Z", "2026-01-01T00:00:00")),
    "Date": (('"2026-03-04"',), ("2026-03-04", "1999-12-31")),
    "Decimal": (('"1.50"',), ("1.50", "-3")),
    "UUID": (('"01890a5d-ac96-774b-bcce-b302099a8057"',), ("01890a5d-ac96-774b-bcce-b302099a8057",)),
    "JSON": (('{a: [1, "b"]}', "null", "[]"), ({"a": [1]}, 4)),
    "Money": (("1250.5", "3"), (1250.5, 3, "0.25")),
}
WRONG: tuple[Any, ...] = ("wrong", -1.5, 2**40, {}, {"x": 1}, [], [None], None, True, "", {"y": "z", "unknown": 1})
NAMES = ("a", "b", "c", "d")
META = {"__schema": graphql.SchemaMetaFieldDef, "__type": graphql.TypeMetaFieldDef}


@dataclass(frozen=True)
class Case:
    """A document that is valid, one of its operations, and variables for it."""

    document: DocumentNode
    operation: OperationDefinitionNode
    variables: dict[str, Any]

    def __str__(self) -> str:
        name = self.operation.name
        return f"{print_ast(self.document)}\n\n# {name.value if name else 'the operation'} with {self.variables!r}"


@dataclass
class Generator:
    """Makes documents for a schema. ``samples`` add values for arguments, by their names: texts of the document, variables.

    ``wanted`` is about how many fields a document has, ``depth`` how deep they are within each other, ``given`` how many of a
    hundred arguments are given that may be left out, and ``meta`` how many of a hundred fields of the root are of introspection.
    """

    schema: GraphQLSchema
    random: random.Random
    samples: dict[str, tuple[tuple[str, ...], tuple[Any, ...]]] = field(default_factory=dict)
    wanted: int = 20
    depth: int = 5
    given: int = 40
    meta: int = 5
    kinds: tuple[OperationType, ...] = (OperationType.QUERY,) * 5 + (OperationType.MUTATION,)

    def document(self) -> DocumentNode:
        """A valid document of one operation, or of several with names."""
        self._left = self.random.randint(1, self.wanted)
        self._fragments: dict[str, tuple[Any, str]] = {}
        self._taken: dict[str, list[tuple[Any, str, str]]] = {}
        self._types: dict[str, tuple[Any, str | None]] = {}
        count = 1 if self._chance(75) else self.random.randint(2, 3)
        operations = [self._operation() for _ in range(count)]
        fragments = "\n".join(f"fragment {name} on {kind} {text}" for name, (kind, text) in self._fragments.items())
        texts = [f"{kind.value} {{}} {selection}" for kind, selection in operations]
        return self._with_variables(graphql.parse("\n".join([*(text.replace("{}", f"Q{at}", 1) for at, text in enumerate(texts)), fragments])), count)

    def case(self, document: DocumentNode, *, wrong: bool = False) -> Case:
        """One of its operations with variables that fit; with ``wrong``, with some that need not."""
        operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
        operation = self.random.choice(operations)
        variables = {}
        for each in operation.variable_definitions or ():
            kind = type_from_ast(self.schema, each.type)
            is_needed = is_non_null_type(kind) and each.default_value is None
            if is_needed or self._chance(75):
                value = self._sent(kind, self._sample_of(each.variable.name.value))
                variables[each.variable.name.value] = self.random.choice(WRONG) if wrong and self._chance(40) else value
        if wrong and variables and self._chance(20):
            del variables[self.random.choice(list(variables))]
        return Case(document, operation, variables)

    def _chance(self, percent: int) -> bool:
        return self.random.random() * 100 < percent

    def _operation(self) -> tuple[OperationType, str]:
        kind = self.random.choice([each for each in self.kinds if self.schema.get_root_type(each)])
        self._left = max(self._left, self.wanted // 3)
        return kind, self._selection(self.schema.get_root_type(kind), 0)

    def _selection(self, parent: Any, depth: int) -> str:
        """A selection set for a type, with its braces."""
        parts = [self._selected(parent, depth) for _ in range(self.random.choice((1, 2, 2, 3, 4, 5)))]
        return "{ " + (" ".join(filter(None, parts)) or "__typename") + " }"

    def _selected(self, parent: Any, depth: int) -> str:
        luck = self.random.random() * 100
        if luck < 12:
            return f"{self._alias('__typename', parent, 'String!', '')}__typename{self._condition()}"
        if luck < 24 and depth < self.depth:
            return self._inline(parent, depth)
        if luck < 36 and depth < self.depth:
            return self._spread(parent, depth)
        return self._field(parent, depth) if hasattr(parent, "fields") else self._inline(parent, depth)

    def _inline(self, parent: Any, depth: int) -> str:
        condition = self.random.choice([None, *overlapping(self.schema, parent)])
        on = "" if condition is None else f" on {condition}"
        return f"...{on}{self._condition()} {self._selection(condition or parent, depth + 1)}"

    def _spread(self, parent: Any, depth: int) -> str:
        around = overlapping(self.schema, parent)
        ready = [name for name, (kind, _) in self._fragments.items() if kind in around]
        if ready and self._chance(60):
            return f"...{self.random.choice(ready)}{self._condition()}"
        kind = self.random.choice(around)
        text = self._selection(kind, depth + 1)
        name = f"F{len(self._fragments)}"
        self._fragments[name] = kind, text
        return f"...{name}{self._condition()}"

    def _field(self, parent: Any, depth: int) -> str:
        self._left -= 1
        is_full = depth >= self.depth or self._left < 0
        is_meta = parent is self.schema.query_type and not is_full and self._chance(self.meta)
        fields = META if is_meta else parent.fields
        names = [name for name, each in fields.items() if not is_full or is_leaf_type(get_named_type(each.type))]
        if not names:
            return ""
        name = self.random.choice(names)
        definition = fields[name]
        arguments = self._arguments(definition.args)
        if name == "__type" and self._chance(80):
            arguments = f'(name: "{self.random.choice(list(self.schema.type_map))}")'
        named: Any = get_named_type(definition.type)
        alias = self._alias(name, parent, str(definition.type), arguments)
        below = "" if is_leaf_type(named) else " " + self._selection(named, depth + 1)
        text = f"{alias}{name}{arguments}{self._condition()}{below}"
        if self._chance(8):  # the same field once more, to be merged
            below = "" if is_leaf_type(named) else " " + self._selection(named, depth + 1)
            text += f" {alias}{name}{arguments}{self._condition()}{below}"
        return text

    def _alias(self, name: str, parent: Any, kind: str, arguments: str) -> str:
        """An alias with its colon, or nothing where the name itself will do."""
        candidates = [name, name, *self.random.sample(NAMES, 2), f"{name}{len(self._taken)}"]
        if self._chance(25):
            candidates = candidates[2:]
        for key in candidates:
            taken = self._taken.setdefault(key, [])
            if all(self._merges(each, parent, kind, name + arguments) for each in taken):
                taken.append((parent, kind, name + arguments))
                return "" if key == name else f"{key}: "
        raise AssertionError("a new name is always free")

    def _merges(self, taken: tuple[Any, str, str], parent: Any, kind: str, asked: str) -> bool:
        """Whether a field may stand under the same name (specification, section 5.3.2)."""
        other, other_kind, other_asked = taken
        is_apart = other is not parent and isinstance(other, GraphQLObjectType) and isinstance(parent, GraphQLObjectType)
        return kind == other_kind and (asked == other_asked or is_apart)

    def _condition(self) -> str:
        if not self._chance(12):
            return ""
        value = self.random.choice(("true", "false")) if self._chance(30) else self._variable(graphql.GraphQLNonNull(graphql.GraphQLBoolean), None, "if")
        told = f" @{self.random.choice(('skip', 'include'))}(if: {value})"
        return told + (f" @{'include' if 'skip' in told else 'skip'}(if: {self.random.choice(('true', 'false'))})" if self._chance(15) else "")

    def _arguments(self, arguments: dict[str, GraphQLArgument]) -> str:
        given = [
            f"{name}: {self._value(each.type, each, name)}"
            for name, each in arguments.items()
            if graphql.is_required_argument(each) or self._chance(self.given)
        ]
        self.random.shuffle(given)
        return f"({', '.join(given)})" if given else ""

    def _value(self, kind: Any, place: GraphQLArgument | GraphQLInputField | None, name: str, *, depth: int = 0, constant: bool = False) -> str:  # noqa: PLR0911
        """A value for a place in the document, often a variable."""
        if not constant and self._chance(40):
            return self._variable(kind, place, name)
        if is_non_null_type(kind):
            kind = kind.of_type
        elif self._chance(8):
            return "null"
        if name in self.samples and self._chance(80):
            return str(self.random.choice(self.samples[name][0]))
        if is_list_type(kind):
            if self._chance(15):
                return self._value(kind.of_type, None, "", depth=depth + 1, constant=True)  # one item for the list
            items = (self._value(kind.of_type, None, "", depth=depth + 1, constant=constant) for _ in range(self.random.randint(0, 2)))
            return f"[{', '.join(items)}]"
        if isinstance(kind, GraphQLInputObjectType):
            return self._object(kind, depth, constant)
        if isinstance(kind, GraphQLEnumType):
            return str(self.random.choice(list(kind.values)))
        return str(self.random.choice(SCALARS[kind.name][0]))

    def _object(self, kind: GraphQLInputObjectType, depth: int, constant: bool) -> str:
        if kind.is_one_of:
            name, each = self.random.choice(list(kind.fields.items()))
            return f"{{{name}: {self._value(graphql.GraphQLNonNull(each.type), each, name, depth=depth + 1, constant=True)}}}"
        given = [
            f"{name}: {self._value(each.type, each, name, depth=depth + 1, constant=constant)}"
            for name, each in kind.fields.items()
            if graphql.is_required_input_field(each) or (depth < 3 and self._chance(35))
        ]
        return f"{{{', '.join(given)}}}"

    def _variable(self, kind: Any, place: GraphQLArgument | GraphQLInputField | None, name: str) -> str:
        """A variable that may stand at the place (specification, section 5.8.5); its name says which samples are for it."""
        has_default = place is not None and place.default_value is not Undefined and place.default_value is not None
        declared, default = kind, None
        if is_non_null_type(kind):
            if self._chance(30):
                declared, default = kind.of_type, self._value(kind, None, name, constant=True)
            elif has_default and self._chance(40):
                declared = kind.of_type
        else:
            if self._chance(25):
                default = self._value(kind, None, name, constant=True)
            if self._chance(25):
                declared = graphql.GraphQLNonNull(kind)
                default = None if default == "null" else default
        told = str(declared), default
        same = [each for each, (was, value) in self._types.items() if (str(was), value) == told and each.split("_")[0] == (name or "v")]
        if same and self._chance(60):
            return f"${self.random.choice(same)}"
        made = f"{name or 'v'}_{len(self._types)}"
        self._types[made] = declared, default
        return f"${made}"

    def _with_variables(self, document: DocumentNode, count: int) -> DocumentNode:
        """The document with the variables of each operation declared, and no name for an only one, now and then."""
        fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
        parts = []
        for each in document.definitions:
            text = print_ast(each)
            if isinstance(each, OperationDefinitionNode) and each.name:
                names = sorted(used(each, fragments)[0])
                self.random.shuffle(names)
                declared = ", ".join(f"${name}: {kind}" + ("" if default is None else f" = {default}") for name, (kind, default) in ((name, self._types[name]) for name in names))
                head = f"{each.operation.value} {each.name.value}"
                keep = head if count > 1 or self._chance(70) else each.operation.value
                text = text.replace("{", f"{keep} {{", 1) if text.startswith("{") else text.replace(head, keep, 1)
                text = text.replace(keep, f"{keep} ({declared})", 1) if declared else text
            parts.append(text)
        self.random.shuffle(parts)
        return graphql.parse("\n\n".join(parts))

    def _sample_of(self, variable: str) -> tuple[Any, ...]:
        name = variable.rpartition("_")[0]
        return self.samples[name][1] if name in self.samples else ()

    def _sent(self, kind: Any, samples: tuple[Any, ...] = (), depth: int = 0) -> Any:  # noqa: PLR0911
        """A value that a client may send for a variable of that type."""
        if is_non_null_type(kind):
            kind = kind.of_type
        elif self._chance(10):
            return None
        if samples and self._chance(80):
            return self.random.choice(samples)
        if is_list_type(kind):
            return self._sent(kind.of_type) if self._chance(10) else [self._sent(kind.of_type, depth=depth + 1) for _ in range(self.random.randint(0, 3))]
        if isinstance(kind, GraphQLInputObjectType):
            if is_one_of(kind):
                name, each = self.random.choice(list(kind.fields.items()))
                return {name: self._sent(graphql.GraphQLNonNull(each.type), depth=depth + 1)}
            return {
                name: self._sent(each.type, self.samples.get(name, ((), ()))[1], depth + 1)
                for name, each in kind.fields.items()
                if graphql.is_required_input_field(each) or (depth < 3 and self._chance(40))
            }
        if isinstance(kind, GraphQLEnumType):
            return self.random.choice(list(kind.values))
        return self.random.choice(SCALARS[kind.name][1])


def is_one_of(kind: GraphQLInputObjectType) -> bool:
    """Whether exactly one field is given; Strawberry keeps that to itself until variables are coerced."""
    definition = kind.extensions.get("strawberry-definition")
    return kind.is_one_of or getattr(definition, "is_one_of", False)


@cache
def overlapping(schema: GraphQLSchema, parent: Any) -> list[Any]:
    """The types on which a fragment may stand within a type (specification, section 5.5.2.3)."""

    def possible(kind: Any) -> set[Any]:
        return set(schema.get_possible_types(kind)) if is_abstract_type(kind) else {kind}

    composites = [each for each in schema.type_map.values() if is_composite_type(each)]
    return [each for each in composites if possible(parent) & possible(each)]


def used(node: OperationDefinitionNode, fragments: dict[str, FragmentDefinitionNode]) -> tuple[set[str], set[str]]:
    """The names of the variables and of the fragments that an operation uses, by itself and in the fragments it spreads."""
    variables: set[str] = set()
    spread: set[str] = set()
    waiting: list[Node] = [node.selection_set]

    class Look(graphql.Visitor):
        def enter_variable(self, node: VariableNode, *_: Any) -> None:
            variables.add(node.name.value)

        def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
            name = node.name.value
            if name in fragments and name not in spread:
                spread.add(name)
                waiting.append(fragments[name])

    while waiting:
        visit(waiting.pop(), Look())
    return variables, spread
