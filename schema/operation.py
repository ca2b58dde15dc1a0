"""Documents: parsed and validated once, then executed as often as asked."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    execute,
    get_operation_ast,
    parse,
    validate,
)
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.utils.await_maybe import await_maybe

from resolvers.context import Context
from schema.cost import CostPlan, cost_plan
from schema.limits import Limits, faults

# Enough for every document of a busy front end and its analysts; longer texts are parsed each time.
CACHED_DOCUMENTS = 512
CACHED_CHARACTERS = 20_000
# A document with more errors is wrong enough; a hundred of them with suggestions take 0.3 s to write.
MOST_ERRORS = 20


def document_id(text: str) -> str:
    """``sha256:`` and the 64 lower-case hexadecimal digits of the text in UTF-8 (GraphQL over HTTP, persisted documents)."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Document:
    """A document that can be executed, or the errors that say why not; ``node`` is None if it did not even parse.

    ``id`` is that of its text. What ``is_trusted`` was registered by us, and is not what a client thought of. One that
    ``introspects`` asks for the schema, one that ``is_personal`` for who asks; under whatever alias.
    """

    id: str
    node: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()
    is_trusted: bool = False
    introspects: bool = field(init=False)
    is_personal: bool = field(init=False)

    def __post_init__(self) -> None:
        names = {"__schema", "__type", "viewer"} & set(_field_names(self.node))
        object.__setattr__(self, "introspects", not names <= {"viewer"})
        object.__setattr__(self, "is_personal", "viewer" in names)

    @property
    def operations(self) -> list[OperationDefinitionNode]:
        """Its operations, in the order in which they stand."""
        definitions = self.node.definitions if self.node else ()
        return [each for each in definitions if isinstance(each, OperationDefinitionNode)]

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """The operation of that name, or the only one; None where that does not say which (specification, 6.1)."""
        return None if self.node is None else get_operation_ast(self.node, name)


def _field_names(document: DocumentNode | None) -> Iterator[str]:
    """The name of every field that stands in a document. No recursion: a document may be nested as deep as it likes."""
    pending: list[Any] = list(document.definitions) if document else []
    while pending:
        node = pending.pop()
        if isinstance(node, FieldNode):
            yield node.name.value
        if getattr(node, "selection_set", None) is not None:
            pending.extend(node.selection_set.selections)


class Executable:
    """A schema and the documents that were asked of it; ``limits`` are for those that are not trusted."""

    def __init__(self, schema: strawberry.Schema, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._schema = schema
        self._cached = lru_cache(CACHED_DOCUMENTS)(self.read)
        self._plans: OrderedDict[tuple[str, str | None], CostPlan] = OrderedDict()

    @property
    def sdl(self) -> str:
        """The schema as text."""
        return self._schema.as_str()

    def document(self, text: str) -> Document:
        """The document of a text that a client sent, remembered for the next time."""
        return self._cached(text) if len(text) <= CACHED_CHARACTERS else self.read(text)

    def read(self, text: str, *, is_trusted: bool = False) -> Document:
        """The document of a text (GraphQL specification, sections 2 and 5). A trusted one may be of any length."""
        name = document_id(text)
        try:
            node = parse(text, max_tokens=None if is_trusted else self.limits.tokens)
        except GraphQLSyntaxError as error:
            return Document(name, None, (error,), is_trusted)
        except RecursionError:
            too_deep = GraphQLError("Syntax Error: the document is nested too deeply.")
            return Document(name, None, (too_deep,), is_trusted)
        wrong = [] if is_trusted else faults(node, self.limits)
        return Document(name, node, tuple(wrong or validate(self._schema._schema, node, max_errors=MOST_ERRORS)), is_trusted)

    def cost_plan(self, document: Document, operation: OperationDefinitionNode) -> CostPlan:
        """What an operation of a valid document costs, but for its variables; remembered."""
        assert document.node is not None
        key = document.id, operation.name.value if operation.name else None
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = cost_plan(self._schema, document.node, operation)
            if len(self._plans) > CACHED_DOCUMENTS:
                self._plans.popitem(last=False)
        return plan

    async def execute(
        self, document: DocumentNode, operation_name: str | None, variables: dict[str, Any] | None, context: Context
    ) -> ExecutionResult:
        """What an operation of a valid document answers: data, errors, or both (specification, section 6).

        Straight through graphql-core: Strawberry's own ``execute`` would parse, validate and log once more.
        """
        return await await_maybe(
            execute(
                self._schema._schema,
                document,
                context_value=context,
                variable_values=variables,
                operation_name=operation_name,
                executor_class=self._schema.execution_context_class,
                is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]
            )
        )
