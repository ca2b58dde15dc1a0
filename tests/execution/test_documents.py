"""The documents that the executors are compared on are valid and have everything in them."""

from collections import Counter
from random import Random
from typing import Any

from graphql import FieldNode, FragmentSpreadNode, Visitor, print_ast, validate, visit
from graphql.execution import get_variable_values

from tests.execution.documents import Generator
from tests.execution.toy import toy


class Kinds(Visitor):
    """Counts the documents in which each kind of thing occurs."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def enter(self, node: Any, key: Any, parent: Any, *_: Any) -> None:
        self.seen.add(node.kind if not isinstance(key, str) else f"{parent.kind}.{key}")
        if isinstance(node, FieldNode):
            self.seen |= {"an alias"} if node.alias else set()
            self.seen |= {"__typename"} if node.name.value == "__typename" else set()
        self.seen |= {f"{node.kind} of {node.operation.value}"} if hasattr(node, "operation") else set()
        self.seen |= {"a condition on a spread"} if isinstance(node, FragmentSpreadNode) and node.directives else set()
        if node.kind == "document":
            operations = [each for each in node.definitions if each.kind == "operation_definition"]
            self.seen |= {"several operations"} if len(operations) > 1 else set()
        if node.kind == "selection_set":
            names = [each.alias or each.name for each in node.selections if isinstance(each, FieldNode)]
            self.seen |= {"a field twice"} if len(names) > len({each.value for each in names}) else set()
            spread = [each.name.value for each in node.selections if isinstance(each, FragmentSpreadNode)]
            self.seen |= {"a fragment twice"} if len(spread) > len(set(spread)) else set()


EVERYTHING = {
    "an alias", "__typename", "a field twice", "a fragment twice", "several operations", "a condition on a spread", "inline_fragment",
    "fragment_definition", "operation_definition of query", "operation_definition of mutation", "directive", "variable_definition.default_value",
    "argument.value", "object_field", "list_value", "argument", "variable_definition",
}  # fmt: skip


def test_random_documents_are_valid_and_have_everything_in_them() -> None:
    schema, seen = toy(waits=True).schema._schema, Counter[str]()
    for seed in range(120):
        document = Generator(schema, Random(seed)).document()
        assert validate(schema, document) == [], print_ast(document)
        kinds = Kinds()
        visit(document, kinds)
        seen.update(kinds.seen)
    assert {name for name in EVERYTHING if seen[name] < 2} == set()


def test_variables_are_given_left_out_null_and_wrong() -> None:
    seen: Counter[str] = Counter()
    for seed in range(60):
        generator = Generator(toy(waits=True).schema._schema, Random(seed))
        document = generator.document()
        for wrong in (False, True):
            case = generator.case(document, wrong=wrong)
            declared = case.operation.variable_definitions or ()
            coerced = get_variable_values(toy(waits=True).schema._schema, declared, case.variables)
            seen["do not fit" if isinstance(coerced, list) else "fit"] += wrong
            assert wrong or not isinstance(coerced, list), case
            seen["left out"] += len(case.variables) < len(declared)
            seen["null"] += None in case.variables.values()
    assert min(seen[each] for each in ("do not fit", "fit", "left out", "null")) > 5
