"""Documents: parsed and validated once, then executed as often as asked."""

import hashlib
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    execute,
    get_operation_ast,
    parse,
    validate,
)
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.utils.await_maybe import await_maybe

from core.histogram import Histograms
from execution import Plan, Unplannable, compile_plan
from resolvers.context import Context
from schema.cost import CostPlan, cost_plan
from schema.limits import Limits, faults, too_long
from schema.validation import RULES

# Enough for every document of a busy front end and its analysts. A document takes 60 to 275 bytes for each character, its
# plan included (a full Dashboard 165 KB): 70 MB in all at most, and 180 MB with all combinations of their conditions.
CACHED_DOCUMENTS = 512
CACHED_CHARACTERS = 250_000
LONGEST_CACHED = 20_000  # longer texts are read each time
# A document with more errors is wrong enough; a hundred of them with suggestions take 0.3 s to write.
MOST_ERRORS = 20
LONGEST_LABEL = 100


def label_of(document: "Document", operation: OperationDefinitionNode) -> str:
    """What figures call an operation: by its name, or where it has none by the beginning of its document's id."""
    return operation.name.value[:LONGEST_LABEL] if operation.name else document.id[:19]


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
    # What was made of its operations, by their names.
    costs: "dict[str | None, CostPlan]" = field(init=False, default_factory=dict, compare=False, repr=False)
    plans: "dict[str | None, Plan | None]" = field(init=False, default_factory=dict, compare=False, repr=False)

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

    def root_fields(self, operation: OperationDefinitionNode) -> Iterator[FieldNode]:
        """The fields at the root of an operation of it, those of fragments among them, once for each place where they stand."""
        definitions = self.node.definitions if self.node else ()
        fragments = {each.name.value: each for each in definitions if isinstance(each, FragmentDefinitionNode)}
        pending = [operation.selection_set]
        opened = set[str]()
        while pending:
            for each in pending.pop().selections:
                if isinstance(each, FieldNode):
                    yield each
                elif isinstance(each, InlineFragmentNode):
                    pending.append(each.selection_set)
                elif isinstance(each, FragmentSpreadNode) and each.name.value not in opened:
                    opened.add(each.name.value)
                    pending.append(fragments[each.name.value].selection_set)


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

    def __init__(self, schema: strawberry.Schema, limits: Limits | None = None, *, breadth_first: bool = True) -> None:
        self.limits = limits or Limits()
        self.fallbacks: Counter[str] = Counter()
        self.durations = Histograms()
        self._schema = schema
        self._breadth_first = breadth_first
        self._cached: OrderedDict[str, Document] = OrderedDict()
        self._characters = 0

    @property
    def types(self) -> GraphQLSchema:
        """The schema as graphql-core knows it."""
        return self._schema._schema

    @property
    def sdl(self) -> str:
        """The schema as text."""
        return self._schema.as_str()

    def document(self, text: str) -> Document:
        """The document of a text that a client sent, remembered for the next time; the one not asked for longest goes first."""
        found = self._cached.get(text)
        if found is not None:
            self._cached.move_to_end(text)
            return found
        found = self.read(text)
        if len(text) <= LONGEST_CACHED:
            self._cached[text] = found
            self._characters += len(text)
            while len(self._cached) > CACHED_DOCUMENTS or self._characters > CACHED_CHARACTERS:
                self._characters -= len(self._cached.popitem(last=False)[0])
        return found

    def read(self, text: str, *, is_trusted: bool = False) -> Document:
        """The document of a text (GraphQL specification, sections 2 and 5). A trusted one may be of any length."""
        name = document_id(text)
        long = None if is_trusted else too_long(text, self.limits)
        if long is not None:
            return Document(name, None, (long,), is_trusted)
        try:
            # ``{}`` is no selection set (section 2.8), though graphql-core reads it unless it is told.
            node = parse(
                text, max_tokens=None if is_trusted else self.limits.tokens, allow_empty_selection_sets=False
            )
        except GraphQLSyntaxError as error:
            return Document(name, None, (error,), is_trusted)
        except RecursionError:
            too_deep = GraphQLError("Syntax Error: the document is nested too deeply.")
            return Document(name, None, (too_deep,), is_trusted)
        wrong = [] if is_trusted else faults(node, self.limits)
        errors = wrong or validate(self._schema._schema, node, RULES, max_errors=MOST_ERRORS)
        return Document(name, node, tuple(errors), is_trusted)

    def cost_plan(self, document: Document, operation: OperationDefinitionNode) -> CostPlan:
        """What an operation of a valid document costs, but for its variables; remembered with it."""
        name = _name(operation)
        found = document.costs.get(name)
        if found is None:
            assert document.node is not None
            found = document.costs[name] = cost_plan(self._schema, document.node, operation)
        return found

    async def execute(
        self, document: Document, operation: OperationDefinitionNode, variables: dict[str, Any] | None, context: Context
    ) -> ExecutionResult:
        """What an operation of a valid document answers: data, errors, or both (specification, section 6). It is timed."""
        started, is_whole = time.perf_counter(), False
        try:
            result = await self._execute(document, operation, variables, context)
            is_whole = not result.errors
            return result
        finally:
            self.durations.of(label_of(document, operation)).add(time.perf_counter() - started, failed=not is_whole)

    async def _execute(
        self, document: Document, operation: OperationDefinitionNode, variables: dict[str, Any] | None, context: Context
    ) -> ExecutionResult:
        assert document.node is not None
        plan = self._plan(document, operation)
        if plan is not None:
            try:
                return await plan.execute(context, variables)
            except Unplannable as reason:
                self.fallbacks[str(reason)] += 1
        return await self._depth_first(document.node, operation, variables, context)

    def _plan(self, document: Document, operation: OperationDefinitionNode) -> Plan | None:
        """How the operation is executed breadth first; None for graphql-core, which is counted with the reason."""
        if not self._breadth_first:
            return None
        name = _name(operation)
        if name not in document.plans:
            assert document.node is not None
            try:
                document.plans[name] = compile_plan(self._schema, document.node, operation)
            except Unplannable as reason:
                self.fallbacks[str(reason)] += 1
                document.plans[name] = None
        return document.plans[name]

    async def _depth_first(
        self, document: DocumentNode, operation: OperationDefinitionNode, variables: dict[str, Any] | None, context: Context
    ) -> ExecutionResult:
        """Straight through graphql-core: Strawberry's own ``execute`` would parse, validate and log once more."""
        return await await_maybe(
            execute(
                self._schema._schema,
                document,
                context_value=context,
                variable_values=variables,
                operation_name=_name(operation),
                executor_class=self._schema.execution_context_class,
                is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]
            )
        )


def _name(operation: OperationDefinitionNode) -> str | None:
    return operation.name.value if operation.name else None
