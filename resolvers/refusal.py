"""Why a mutation made no change: outcomes that a client handles, and which the schema shows as types."""

from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ValidationError:
    """An invalid value; ``field`` is the argument or input field, as the schema names it."""

    code: ClassVar[str] = "VALIDATION"

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class NotFound:
    """There is nothing with that id, or nothing that may be seen."""

    code: ClassVar[str] = "NOT_FOUND"

    id: UUID
    message: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody else changed the row first; ``current`` is the row as it is now."""

    code: ClassVar[str] = "CONFLICT"

    current: Any
    message: str


@dataclass(frozen=True, slots=True)
class Forbidden:
    """The viewer may not do this."""

    code: ClassVar[str] = "FORBIDDEN"

    message: str


MutationError: TypeAlias = ValidationError | NotFound | Conflict | Forbidden


class Refused(Exception):
    """Ends a mutation and rolls back what it did; ``errors`` are what the client is told."""

    def __init__(self, *errors: MutationError) -> None:
        super().__init__(*errors)
        self.errors = list(errors)
