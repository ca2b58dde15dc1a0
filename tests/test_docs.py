"""The documentation is true: every setting, every error code and every path of REST stands in it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from graphql import GraphQLEnumType

import server  # noqa: F401  # all that the program has, errors of every room among it
from core import errors
from core.settings import Settings
from resolvers.refusal import MutationError
from schema.build import build_schema
from web.http.reading import TooLarge, UnsupportedMediaType
from web.rest.answer import STATUSES
from web.rest.table import LINES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_readme_lists_every_setting_with_its_meaning() -> None:
    for name, field in Settings.model_fields.items():
        default = int(field.default) if isinstance(field.default, bool) else field.default
        shown = "" if default in (None, []) else f"`{default:g}`" if isinstance(default, float) else f"`{default}`"
        assert f"| `{name.upper()}` | {shown} | {field.description} |" in README


def test_the_readme_lists_every_path_of_rest() -> None:
    for line in LINES:
        assert f"{line.path}`" in README


def test_every_error_code_is_explained() -> None:
    explained = (ROOT / "docs" / "errors.md").read_text("utf-8")
    assert {TooLarge, UnsupportedMediaType} < set(kinds_of(errors.AppError))
    for kind in kinds_of(errors.AppError):
        assert f"| `{kind.code}` |" in explained
    # Those that are written out where they are told; what else is written so is a value of an enum.
    values = {value for each in build_schema()._schema.type_map.values() if isinstance(each, GraphQLEnumType) for value in each.values}
    written = {
        code
        for room in ("web", "schema")
        for file in (ROOT / room).rglob("*.py")
        for code in re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', file.read_text("utf-8"))
    }
    assert len(written - values) > 20
    for code in written - values:
        assert f"`{code}`" in explained, code


def test_every_error_of_a_mutation_is_explained() -> None:
    explained = (ROOT / "docs" / "errors.md").read_text("utf-8")
    for kind in get_args(MutationError):
        assert f"| `{kind.__name__}`, `{kind.code}` |" in explained


def test_rest_has_the_status_of_every_error_that_a_field_may_have() -> None:
    for kind in kinds_of(errors.AppError):
        # Who asks, and what the request is, has been decided before.
        if kind.__module__ == errors.__name__ and not issubclass(kind, (errors.BadRequest, errors.Unauthenticated)):
            assert STATUSES.get(kind.code, errors.AppError.status) == kind.status, kind


def kinds_of(kind: type[errors.AppError]) -> Iterator[type[errors.AppError]]:
    """The kind and all of its kinds."""
    yield kind
    for each in kind.__subclasses__():
        yield from kinds_of(each)
