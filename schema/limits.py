"""Limits on documents that are not trusted: how deep, how wide, how often the same.

One walk of our own, before validation and without the schema: validation rules all run side by side, and the others are what
has to be kept from such documents (graphql-core takes 1.8 s to compare 475 times ``viewer { subject }`` with each other).
Its time is linear in the document: 2,000 tokens of any kind we could think of take 0.1 to 7 ms.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    Source,
    Token,
    TokenKind,
)

from core.settings import Settings

DOCUMENT_TOO_DEEP = "DOCUMENT_TOO_DEEP"
TOO_MANY_ALIASES = "TOO_MANY_ALIASES"
TOO_MANY_ROOT_FIELDS = "TOO_MANY_ROOT_FIELDS"
TOO_MANY_DIRECTIVES = "TOO_MANY_DIRECTIVES"
TOO_MANY_SELECTIONS = "TOO_MANY_SELECTIONS"
DOCUMENT_TOO_LONG = "DOCUMENT_TOO_LONG"
NAME_TOO_LONG = "NAME_TOO_LONG"

Definition: TypeAlias = OperationDefinitionNode | FragmentDefinitionNode
# Fragments that spread each other double with each step: no figure needs to be exact beyond any limit.
PLENTY = 1_000_000
INTROSPECTION = ("__schema", "__type")
# The lists of introspection that lead to further types.
LEADING_ON = frozenset(("types", "fields", "args", "inputFields", "interfaces", "possibleTypes"))


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a document may have.

    Depth, aliases, selections and root fields are those of an operation with every fragment put where it is spread.
    An alias is also a ``__typename`` beyond the first between the same braces. ``repeats`` are selections whose name
    in the answer was selected before beside them, inline fragments included: validation compares each with each.
    Directives are counted as they are written, wherever they stand. ``cost`` is not of the document alone: ``cost.py``.

    A ``name`` is whatever the document names, an alias above all: an answer repeats that for each object, 500 MB of one of
    500,000 characters. ``bytes`` are those of the text: a block string takes 0.3 s for each million to be read.

    Below ``__schema`` and ``__type`` depth has a limit of its own, for the nine ``ofType`` of the usual introspection
    query (depth 14 there), and so has the number of lists within each other, of which that query has three.
    """

    tokens: int = 2000
    depth: int = 10
    aliases: int = 30
    root_fields: int = 20
    directives: int = 50
    cost: int = 5000
    selections: int = 2000
    repeats: int = 100
    introspection_depth: int = 20
    introspection_lists: int = 3
    bytes: int = 100_000
    name: int = 100

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """The limits that the settings say."""
        return cls(
            tokens=settings.max_tokens, depth=settings.max_depth, aliases=settings.max_aliases,
            root_fields=settings.max_root_fields, directives=settings.max_directives, cost=settings.max_cost,
            bytes=settings.max_document_bytes,
        )  # fmt: skip


def too_long(text: str, limits: Limits) -> GraphQLError | None:
    """What is wrong with a text that is not worth parsing."""
    length = len(text.encode())
    if length <= limits.bytes:
        return None
    message = f"The document has {length:,} bytes; {limits.bytes:,} is the limit. Send long texts as variables."
    return GraphQLError(message, source=Source(text), positions=[0], extensions={"code": DOCUMENT_TOO_LONG})


def faults(document: DocumentNode, limits: Limits) -> list[GraphQLError]:
    """What a document has too much of, one error for each kind of fault; ``extensions["code"]`` is the kind.

    For documents that parse, valid or not: what is spread but not there counts as nothing, and so does a fragment
    within itself; validation refuses both, and what is never spread.
    """
    long = _long_name(document, limits.name)
    return [*_Walk(document, limits).faults(), *([long] if long else [])]


def _long_name(document: DocumentNode, limit: int) -> GraphQLError | None:
    """What is wrong with the first name that is too long, wherever it stands."""
    assert document.loc is not None
    token: Token | None = document.loc.start_token
    while token is not None:
        length = len(token.value or "") if token.kind is TokenKind.NAME else 0
        if length > limit:
            message, code = f"A name has {length:,} characters; {limit:,} is the limit.", {"code": NAME_TOO_LONG}
            return GraphQLError(message, source=document.loc.source, positions=[token.start], extensions=code)
        token = token.next
    return None


class _Sums(NamedTuple):
    """What there is between a pair of braces, fragments included: at this level, below, or how deep."""

    fields: int = 0
    depth: int = 0
    aliases: int = 0
    selections: int = 0
    repeats: int = 0
    lists: int = 0


NOTHING = _Sums()


class _Walk:
    def __init__(self, document: DocumentNode, limits: Limits) -> None:
        self._limits = limits
        self._definitions = [
            each for each in document.definitions if isinstance(each, (OperationDefinitionNode, FragmentDefinitionNode))
        ]
        self._fragments = {each.name.value: each for each in self._definitions if isinstance(each, FragmentDefinitionNode)}
        # By the identity of a selection set, which the document keeps alive.
        self._sums: dict[int, _Sums] = {}
        self._scopes: dict[int, list[SelectionSetNode]] = {}
        self._directives: list[Node] = []
        self._found: dict[str, GraphQLError] = {}

    def faults(self) -> list[GraphQLError]:
        for definition in self._definitions:
            self._directives += definition.directives or ()
            for variable in definition.variable_definitions or ():
                self._directives += variable.directives or ()
            self._measure(definition.selection_set)
            self._judge(definition, self._sums[id(definition.selection_set)])
        limit = self._limits.directives
        if len(self._directives) > limit:
            self._directives.sort(key=lambda each: each.loc.start if each.loc else 0)
            self._fault(TOO_MANY_DIRECTIVES, f"{len(self._directives):,} directives", limit, self._directives[limit])
        return list(self._found.values())

    def _judge(self, whole: Definition, sums: _Sums) -> None:
        limits = self._limits
        is_operation = isinstance(whole, OperationDefinitionNode)
        for measure, limit, code, what in (
            ("aliases", limits.aliases, TOO_MANY_ALIASES, "aliases or repeated __typename"),
            ("depth", limits.depth, DOCUMENT_TOO_DEEP, "fields within each other"),
            ("repeats", limits.repeats, TOO_MANY_SELECTIONS, "fields selected again beside themselves"),
            ("selections", limits.selections, TOO_MANY_SELECTIONS, "selections"),
        ):
            number = getattr(sums, measure)
            # What is in a fragment counts where it is spread; but what repeats in it is compared even if that is nowhere.
            # The way to the place is gone once for each code, however many definitions are at fault.
            if number > limit and code not in self._found and (is_operation or measure == "repeats"):
                self._fault(code, f"{number:,} {what}", limit, self._place(whole, measure, limit))
        if is_operation and sums.fields > limits.root_fields:
            self._fault(TOO_MANY_ROOT_FIELDS, f"{sums.fields:,} root fields", limits.root_fields, whole)

    def _fault(self, code: str, there_are: str, limit: int, place: Node) -> None:
        message = f"There are {there_are}; {limit:,} is the limit."
        self._found.setdefault(code, GraphQLError(message, [place], extensions={"code": code}))

    def _measure(self, whole: SelectionSetNode) -> None:
        """Sums up a selection set after everything below it: without recursion, which a chain of fragments exhausts."""
        waiting = [whole]
        while waiting:
            braces = waiting[-1]
            if id(braces) in self._sums:
                waiting.pop()
            elif id(braces) in self._scopes:  # everything below it is summed up, unless it is around it as well
                self._sums[id(braces)] = self._sum(self._scopes[id(braces)])
                waiting.pop()
            else:
                self._scopes[id(braces)] = self._open(braces)
                waiting += [below for _, below in self._parts(braces) if id(below) not in self._scopes]

    def _open(self, braces: SelectionSetNode) -> list[SelectionSetNode]:
        """The selection set and those of the inline fragments in it, which select at the same place."""
        scope = [braces]
        for part in scope:
            for each in part.selections:
                self._directives += each.directives or ()
                if isinstance(each, InlineFragmentNode):
                    scope.append(each.selection_set)
        return scope

    def _parts(self, braces: SelectionSetNode) -> Iterator[tuple[SelectionNode, SelectionSetNode]]:
        """The fields and spreads at this place that bring a selection set, and that."""
        for part in self._scopes[id(braces)]:
            for each in part.selections:
                below = self._below(each)
                if below is not None:
                    yield each, below

    def _below(self, selection: SelectionNode) -> SelectionSetNode | None:
        if isinstance(selection, FieldNode):
            return selection.selection_set
        if isinstance(selection, FragmentSpreadNode):
            fragment = self._fragments.get(selection.name.value)
            return fragment.selection_set if fragment else None
        return None  # an inline fragment has been opened

    def _sum(self, scope: list[SelectionSetNode]) -> _Sums:
        fields = depth = aliases = selections = repeats = lists = 0
        selected: set[str] = set()
        for part in scope:
            typename_is_there = False
            selections += len(part.selections)
            for each in part.selections:
                braces = self._below(each)
                below = NOTHING if braces is None else self._sums.get(id(braces), NOTHING)
                aliases += below.aliases
                selections += below.selections
                repeats += below.repeats
                if not isinstance(each, FieldNode):
                    fields += below.fields
                    depth, lists = max(depth, below.depth), max(lists, below.lists)
                    continue
                fields += 1
                name = each.name.value
                if name == "__typename":
                    aliases += typename_is_there or each.alias is not None
                    typename_is_there = True
                else:
                    answers_as = each.alias.value if each.alias else name
                    aliases += each.alias is not None
                    repeats += answers_as in selected
                    selected.add(answers_as)
                if name in INTROSPECTION:
                    self._judge_introspection(each, below)
                    below = NOTHING
                depth, lists = max(depth, 1 + below.depth), max(lists, (name in LEADING_ON) + below.lists)
        return _Sums(min(fields, PLENTY), depth, min(aliases, PLENTY), min(selections, PLENTY), min(repeats, PLENTY), lists)

    def _judge_introspection(self, root: FieldNode, below: _Sums) -> None:
        for number, limit, what in (
            (below.depth, self._limits.introspection_depth, "fields of introspection"),
            (below.lists, self._limits.introspection_lists, "lists of introspection"),
        ):
            if number > limit:
                self._fault(DOCUMENT_TOO_DEEP, f"{number:,} {what} within each other", limit, root)

    def _place(self, whole: Definition, measure: str, limit: int) -> Node:
        """The innermost place with more than the limit in it; of a depth, the last one that is not too deep."""
        place: Node = whole
        depth = self._sums[id(whole.selection_set)].depth
        for inner, sums in self._way(whole, measure):
            if (depth - sums.depth > limit) if measure == "depth" else (getattr(sums, measure) <= limit):
                break
            place = inner
        return place

    def _way(self, whole: Definition, measure: str) -> Iterator[tuple[Node, _Sums]]:
        """The fields and spreads on the way down to the most of something, and what is in each."""
        braces, passed = whole.selection_set, set[int]()
        while id(braces) not in passed:
            passed.add(id(braces))
            ways = [(node, below, self._sums.get(id(below), NOTHING)) for node, below in self._parts(braces)]
            if ways:
                node, braces, sums = max(ways, key=lambda way: _counted(way[0], way[2], measure))
                yield node, sums


def _counted(node: SelectionNode, below: _Sums, measure: str) -> int:
    if measure == "depth" and isinstance(node, FieldNode) and node.name.value in INTROSPECTION:
        return 1  # has a limit of its own
    return isinstance(node, FieldNode) + int(getattr(below, measure))
