"""The documentation is true: every setting and every error code stands in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import server  # noqa: F401  # all that the program has, errors of every room among it
from core import errors
from core.settings import Settings
from resolvers.refusal import MutationError
from web.reading import TooLarge, UnsupportedMediaType

ROOT = Path(__file__).parent.parent


def test_the_readme_lists_every_setting_with_its_meaning() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        assert f"| `{name.upper()}` |" in readme
        assert f"| {field.description} |" in readme


def test_every_error_code_is_explained() -> None:
    explained = (ROOT / "docs" / "errors.md").read_text("utf-8")
    assert {TooLarge, UnsupportedMediaType} < set(kinds_of(errors.AppError))
    for kind in kinds_of(errors.AppError):
        assert f"| `{kind.code}` |" in explained


def test_every_error_of_a_mutation_is_explained() -> None:
    explained = (ROOT / "docs" / "errors.md").read_text("utf-8")
    for kind in get_args(MutationError):
        assert f"| `{kind.__name__}`, `{kind.code}` |" in explained


def kinds_of(kind: type[errors.AppError]) -> Iterator[type[errors.AppError]]:
    """The kind and all of its kinds."""
    yield kind
    for each in kind.__subclasses__():
        yield from kinds_of(each)
