"""The paths of the REST shim, each with the trusted document that answers it: the one table it is made of.

A line says no more than that. Parameters follow from the variables of the document (``web/rest/parameters.py``), what is
answered from what it selects, and the OpenAPI document from both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from graphql import FieldNode, GraphQLSchema, OperationDefinitionNode

from schema.documents import DocumentsError, TrustedDocuments
from schema.operation import Document
from web.limits.throttle import Kind
from web.rest.parameters import Parameter, parameters_of

Shape: TypeAlias = Literal["object", "items", "page"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: method and path, the operation in ``documents/``, what it brings, and the rate limits of its own."""

    method: Literal["GET", "POST"]
    path: str
    document: str
    summary: str
    kinds: tuple[Kind, ...] = ()


LINES = (
    Line("GET", "/api/dashboard", "DashboardScreen", "The dashboard of one owner, or of all that may be seen."),
    Line("GET", "/api/companies", "Companies", "Companies, page by page."),
    Line("GET", "/api/companies/{id}", "Company", "A company with its deals, contacts and activities."),
    Line("GET", "/api/companies/{id}/analytics", "CompanyAnalytics", "How engaged a company is, and why."),
    Line("GET", "/api/companies/{id}/deals-summary", "CompanyDealsSummary", "A company's deals by stage, and its latest."),
    Line("GET", "/api/deals", "Deals", "Deals, page by page."),
    Line("GET", "/api/deals/pipeline-stats", "PipelineStats", "Deals counted and summed, by stage.", ("statistics",)),
    Line("GET", "/api/deals/{id}", "Deal", "A deal with its history and its latest activities."),
    Line("POST", "/api/deals/bulk", "BulkUpdateDeals", "Change many deals at once.", ("bulk",)),
    Line("GET", "/api/contacts", "Contacts", "Contacts, page by page."),
    Line("GET", "/api/contacts/stats", "ContactStats", "Contacts counted.", ("statistics",)),
    Line("GET", "/api/activities", "Activities", "Activities, page by page."),
    Line("GET", "/api/stages", "Stages", "Every stage, in the order of the pipeline."),
)


@dataclass(frozen=True, slots=True)
class Served:
    """A line with its document. ``field`` is what the document answers with; of a POST the variables are the body."""

    line: Line
    document: Document
    operation: OperationDefinitionNode
    field: str
    shape: Shape
    parameters: Mapping[str, Parameter]


@dataclass(frozen=True, slots=True)
class Found:
    """What is served at an address, by method, and the parts of the address that a line leaves open."""

    by_method: Mapping[str, Served]
    in_path: Mapping[str, str]


class RestTable:
    """The table with its documents. Raises DocumentsError for one that is not there or that cannot be served."""

    def __init__(self, schema: GraphQLSchema, trusted: TrustedDocuments, lines: tuple[Line, ...] = LINES) -> None:
        self.schema = schema
        self.served = [_served(schema, trusted, line) for line in lines]
        self._by_path: dict[tuple[str, ...], dict[str, Served]] = {}
        # What a line spells out is looked at before what it leaves open.
        for each in sorted(self.served, key=lambda served: served.line.path.count("{")):
            self._by_path.setdefault(_parts(each.line.path), {})[each.line.method] = each

    def find(self, path: str) -> Found | None:
        """What is served at the path, which is not percent-encoded any more; None if nothing is."""
        asked = _parts(path)
        for parts, by_method in self._by_path.items():
            if len(parts) == len(asked):
                pairs = list(zip(parts, asked, strict=True))
                if all(part == given or (part.startswith("{") and given) for part, given in pairs):
                    return Found(by_method, {part[1:-1]: given for part, given in pairs if part.startswith("{")})
        return None


def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.removesuffix("/").split("/"))


def _served(schema: GraphQLSchema, trusted: TrustedDocuments, line: Line) -> Served:
    document = trusted.of_operation(line.document)
    operation = document.operation(line.document) if document else None
    if document is None or operation is None:
        raise DocumentsError(f"documents/{line.document}.graphql: {line.path} is answered by it, and it is not there")
    root = operation.selection_set.selections[0]
    if len(operation.selection_set.selections) > 1 or not isinstance(root, FieldNode):
        raise DocumentsError(f"documents/{line.document}.graphql: {line.path} needs it to select one field")
    selected = {each.name.value for each in root.selection_set.selections if isinstance(each, FieldNode)} if (
        root.selection_set
    ) else set()
    field = schema.get_field(schema.get_root_type(operation.operation), root.name.value)  # type: ignore[arg-type]
    assert field is not None
    shape: Shape = "page" if "edges" in selected else "items" if str(field.type).startswith("[") else "object"
    try:
        parameters = parameters_of(schema, document, operation, line.path) if line.method == "GET" else {}
    except ValueError as error:
        raise DocumentsError(f"documents/{line.document}.graphql: {line.path} {error}") from None
    return Served(line, document, operation, root.alias.value if root.alias else root.name.value, shape, parameters)
