"""``python -m ops sdl``: the schema as text."""

import sys

from schema.build import build_schema


def sdl() -> None:
    """Write the GraphQL schema to standard output."""
    sys.stdout.write(schema_text())


def schema_text() -> str:
    """The schema in the schema definition language, with a newline at its end; ``schema.graphql`` holds it."""
    return build_schema().as_str() + "\n"
