"""Random documents for any schema: valid ones nearly always, with variables that mostly fit.

Everything that a document can say occurs: aliases, fields asked for twice, named and inline fragments on types, interfaces
and unions, ``@skip`` and ``@include``, arguments as literals, variables and both, defaults, ``__typename``, several operations.
"""

import random
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_argument,
    is_required_input_field,
    print_type,
)

MOST_FIELDS = 60
LITERALS: dict[str, tuple[str, ...]] = {
    "Int": ("0", "1", "2", "5", "-7"),
    "Float": ("0", "1.5", "-2e3"),
    "String": ('"text"', '""', '"""block"""'),
    "Boolean": ("true", "false"),
    "ID": ('"a"', "5"),
    "DateTime": ('"2026-03-04T05:06:07+00:00"', '"yesterday"'),
    "Date": ('"2026-03-04"',),
    "Decimal": ('"1.50"',),
    "UUID": ('"01890a5d-ac96-774b-bcce-b302099a8057"',),
    "Money": ("12.5", '"7"'),
    "JSON": ('{a: [1, "b"]}',),
}
VALUES: dict[str, tuple[Any, ...]] = {
    "Int": (0, 1, 2, 5, -7), "Float": (0, 1.5), "String": ("text", ""), "Boolean": (True, False), "ID": ("a", 5),
    "DateTime": ("2026-03-04T05:06:07+00:00", "yesterday"), "Date": ("2026-03-04",), "Decimal": ("1.50",),
    "UUID": ("01890a5d-ac96-774b-bcce-b302099a8057",), "Money": (12.5, "7"), "JSON": ({"a": [1]},),
}  # fmt: skip


@dataclass
class Written:
    """A document as text, and the variables of a request for its operation ``Asked``."""

    text: str
    variables: dict[str, Any]


@dataclass
class Writer:
    """Writes one document. ``literals`` and ``values`` replace those of scalars of that name."""

    schema: GraphQLSchema
    seed: int
    operation: str = "query"
    literals: dict[str, tuple[str, ...]] = field(default_factory=dict)
    values: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._left = MOST_FIELDS
        self._declared: list[str] = []
        self._variables: dict[str, Any] = {}
        self._fragments: list[str] = []
        self._names: dict[str, str] = {}

    def write(self) -> Written:
        """The document."""
        root = self.schema.query_type if self.operation == "query" else self.schema.mutation_type
        assert root is not None
        braces = self._braces(root, self._dice.randrange(2, 6))
        declared = f"({', '.join(self._declared)})" if self._declared else ""
        others = " query Other { __typename }" if self._luck(5) else ""
        text = f"{self.operation} Asked{declared} {braces}{others} {' '.join(self._fragments)}"
        return Written(text, self._variables)

    def _luck(self, one_in: int) -> bool:
        return self._dice.randrange(one_in) == 0

    def _braces(self, kind: Any, depth: int) -> str:
        parts = [self._selection(kind, depth) for _ in range(self._dice.randrange(1, 7))]
        return "{ " + " ".join(part or "__typename" for part in parts) + " }"

    def _selection(self, kind: Any, depth: int) -> str:
        if self._luck(5) and depth > 0:
            return self._fragment(kind, depth)
        return self._field(kind, depth)

    def _fragment(self, kind: Any, depth: int) -> str:
        possible = self.schema.get_possible_types(kind) if is_abstract_type(kind) else [kind]
        on = self._dice.choice([kind, *possible])
        if self._luck(3):
            for interface in getattr(on, "interfaces", ()):
                on = self._dice.choice([on, interface])
        if self._luck(2):
            condition = "" if on is kind and self._luck(2) else f" on {on.name}"
            return f"...{condition}{self._directives()} {self._braces(on, depth - 1)}"
        named = [name for name, type_name in self._names.items() if type_name == on.name]
        if named and self._luck(2):
            return f"...{self._dice.choice(named)}{self._directives()}"
        braces = self._braces(on, depth - 1)  # written first: a fragment spreads only those that are whole
        name = f"F{len(self._names)}"
        self._names[name] = on.name
        self._fragments.append(f"fragment {name} on {on.name} {braces}")
        return f"...{name}{self._directives()}"

    def _field(self, kind: Any, depth: int) -> str:
        fields: dict[str, GraphQLField] = getattr(kind, "fields", {})
        candidates = [
            (name, each) for name, each in fields.items() if depth > 0 or not is_composite_type(get_named_type(each.type))
        ]
        if not candidates or self._luck(10) or self._left <= 0:
            return self._dice.choice(["__typename", "kind: __typename"])
        self._left -= 1
        name, chosen = self._dice.choice(candidates)
        given = self._arguments(chosen)
        below = get_named_type(chosen.type)
        # The same key is only used for the same field with the same arguments, which then merges.
        key = f"{name}{abs(hash(given)) % 1000}: {name}" if given or self._luck(3) else name
        braces = f" {self._braces(below, depth - 1)}" if is_composite_type(below) else ""
        told = f"{key}{given}{self._directives()}{braces}"
        if self._luck(6) and is_composite_type(below):
            told += f" {key}{given} {self._braces(below, depth - 1)}"
        return told

    def _directives(self) -> str:
        if not self._luck(7):
            return ""
        told = []
        for name in self._dice.choice([("skip",), ("include",), ("include", "skip")]):
            if self._luck(2):
                told.append(f"@{name}(if: {self._dice.choice(['true', 'false'])})")
            else:
                told.append(f"@{name}(if: ${self._declare('Boolean!', self._luck(2))})")
        return " " + " ".join(told)

    def _declare(self, kind: str, value: Any, default: str | None = None) -> str:
        name = f"v{len(self._declared)}"
        self._declared.append(f"${name}: {kind}" + (f" = {default}" if default is not None else ""))
        if value is not Missing:
            self._variables[name] = value
        return name

    def _arguments(self, chosen: GraphQLField) -> str:
        told = []
        for name, argument in chosen.args.items():
            if not is_required_argument(argument) and self._luck(2):
                continue
            told.append(f"{name}: {self._argument(argument.type)}")
        return f"({', '.join(told)})" if told else ""

    def _argument(self, kind: Any) -> str:
        if not self._luck(2):
            return self._literal(kind, 3)
        if not is_non_null_type(kind):
            missing = self._luck(6)
            default = self._literal(kind, 2, constant=True) if self._luck(3) else None
            return f"${self._declare(str(kind), Missing if missing else self._value(kind, 3), default)}"
        return f"${self._declare(str(kind), self._value(kind, 3))}"

    def _literal(self, kind: Any, depth: int, *, constant: bool = False) -> str:  # noqa: PLR0911
        if is_non_null_type(kind):
            kind = kind.of_type
        elif self._luck(8):
            return "null"
        if not constant and self._luck(6):
            return f"${self._declare(f'{kind}!', self._value(kind, 2, must=True))}"
        if is_list_type(kind):
            if self._luck(6) and depth > 0:
                return self._literal(kind.of_type, depth - 1, constant=constant)
            items = [self._literal(kind.of_type, depth - 1, constant=constant) for _ in range(self._dice.randrange(3))]
            return f"[{', '.join(items)}]"
        if isinstance(kind, GraphQLEnumType):
            return str(self._dice.choice(list(kind.values)))
        if is_leaf_type(kind):
            return self._dice.choice(self.literals.get(kind.name) or LITERALS[kind.name])
        assert isinstance(kind, GraphQLInputObjectType), print_type(kind)
        fields = self._input_fields(kind, depth)
        one_of = kind.is_one_of
        told = [
            f"{name}: {self._literal(each.type if not one_of else _must(each.type), depth - 1, constant=constant)}"
            for name, each in fields
        ]
        return "{" + ", ".join(told) + "}"

    def _value(self, kind: Any, depth: int, *, must: bool = False) -> Any:
        """A variable's value; now and then one that does not fit."""
        if is_non_null_type(kind):
            kind = kind.of_type
        elif self._luck(8) and not must:
            return None
        if self._luck(60):
            return self._dice.choice([{"no": 1}, "no", [None], 2**40])
        if is_list_type(kind):
            return [self._value(kind.of_type, depth - 1) for _ in range(self._dice.randrange(3))]
        if isinstance(kind, GraphQLEnumType):
            return self._dice.choice(list(kind.values))
        if is_leaf_type(kind):
            return self._dice.choice(self.values.get(kind.name) or VALUES[kind.name])
        return {name: self._value(each.type, depth - 1, must=kind.is_one_of) for name, each in self._input_fields(kind, depth)}

    def _input_fields(self, kind: GraphQLInputObjectType, depth: int) -> list[tuple[str, Any]]:
        if kind.is_one_of:
            return [self._dice.choice(list(kind.fields.items()))]
        return [
            (name, each)
            for name, each in kind.fields.items()
            if is_required_input_field(each) or (depth > 0 and self._luck(2))
        ]


class Missing:
    """In place of the value of a variable that is not given."""


def _must(kind: Any) -> Any:
    return kind.of_type if is_non_null_type(kind) else _NonNull(kind)


@dataclass
class _NonNull:
    """A type that is treated as not null."""

    of_type: Any
