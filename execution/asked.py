"""A field as it is asked for: under one response key of one object type, with all its nodes merged (specification, 6.3.2)."""

from graphql import FieldNode, GraphQLField, GraphQLObjectType, is_non_null_type


class Asked:
    """Where a field stands in the document; ``order`` is its place among the fields of its object.

    It is what ``run.py``, ``faults.py`` and the completion of values know of a ``Field``, apart from how that is resolved.
    """

    def __init__(
        self,
        key: str,
        order: int,
        nodes: list[FieldNode],
        parent: GraphQLObjectType,
        definition: GraphQLField,
        above: "Asked | None",
    ) -> None:
        self.key = key
        self.order = order
        self.nodes = nodes
        self.name = nodes[0].name.value
        self.parent = parent
        self.definition = definition
        self.above = above
        self.is_nullable = not is_non_null_type(definition.type)
        # What could be read along with its objects: of ``Batched.along``.
        self.along: frozenset[str] = frozenset()
