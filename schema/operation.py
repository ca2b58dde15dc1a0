"""Documents: parsed and validated once, then executed as often as asked."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
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

# Enough for every document of a busy front end and its analysts; longer texts are parsed each time.
CACHED_DOCUMENTS = 512
CACHED_CHARACTERS = 20_000
# Read before anything is built of them, so that a flood of tokens costs next to nothing.
MOST_TOKENS = 2_000


@dataclass(frozen=True, slots=True)
class Document:
    """A document that can be executed, or the errors that say why not; ``node`` is None if it did not even parse."""

    node: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """The operation of that name, or the only one; None where that does not say which (specification, 6.1)."""
        return None if self.node is None else get_operation_ast(self.node, name)


class Executable:
    """A schema and the documents that were asked of it."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._schema = schema
        self._cached = lru_cache(CACHED_DOCUMENTS)(self._read)

    def document(self, text: str) -> Document:
        """The document of a text (GraphQL specification, sections 2 and 5)."""
        return self._cached(text) if len(text) <= CACHED_CHARACTERS else self._read(text)

    def _read(self, text: str) -> Document:
        try:
            node = parse(text, max_tokens=MOST_TOKENS)
        except GraphQLSyntaxError as error:
            return Document(None, (error,))
        except RecursionError:
            return Document(None, (GraphQLError("Syntax Error: the document is nested too deeply."),))
        return Document(node, tuple(validate(self._schema._schema, node)))

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
