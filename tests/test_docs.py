"""The documentation is true: every setting and every error code stands in it."""

from pathlib import Path

from core import errors
from core.settings import Settings
from web.graphql_request import TooLarge, UnsupportedMediaType

ROOT = Path(__file__).parent.parent


def test_the_readme_lists_every_setting_with_its_meaning() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        assert f"| `{name.upper()}` |" in readme
        assert f"| {field.description} |" in readme


def test_every_error_code_is_explained() -> None:
    explained = (ROOT / "docs" / "errors.md").read_text("utf-8")
    kinds: list[type[errors.AppError]] = [errors.AppError, *errors.AppError.__subclasses__(), errors.InvalidCursor, TooLarge, UnsupportedMediaType]
    for kind in kinds:
        assert f"| `{kind.code}` |" in explained
