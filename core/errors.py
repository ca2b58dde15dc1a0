"""What may go wrong on purpose in every room (``web/`` has kinds of its own); anything else is a bug and is masked.

    AppError                      code                    HTTP status
    ├── BadRequest                BAD_REQUEST             400   the request is not a GraphQL request
    ├── BadInput                  BAD_USER_INPUT          400   an argument or a variable is not acceptable
    │   └── InvalidCursor         INVALID_CURSOR          400   a cursor that is not of this list
    ├── Unauthenticated           UNAUTHENTICATED         401   nobody says who asks
    │   ├── InvalidCredential     INVALID_CREDENTIAL      401   a key or token that is not accepted
    │   └── CredentialExpired     CREDENTIAL_EXPIRED      401   ... any more
    ├── Unavailable               UNAVAILABLE             503   a dependency did not answer
    │   └── OutcomeUnknown        OUTCOME_UNKNOWN         503   ... when it was told to commit, or behind that
    ├── Overloaded                OVERLOADED              503   waited as long as allowed for a connection
    └── DeadlineExceeded          DEADLINE_EXCEEDED       504   the work was cut off at its time limit

``docs/errors.md`` explains each to clients.
"""

from collections.abc import Mapping
from typing import ClassVar


class AppError(Exception):
    """A failure whose message a client may read. ``code`` is stable API; ``headers`` go with an answer that is this error."""

    code: ClassVar[str] = "INTERNAL_SERVER_ERROR"
    status: ClassVar[int] = 500
    headers: ClassVar[Mapping[str, str]] = {}


class BadRequest(AppError):
    """The HTTP request does not hold a GraphQL request that can be read."""

    code = "BAD_REQUEST"
    status = 400


class BadInput(AppError):
    """An argument or variable has a value that the field cannot take."""

    code = "BAD_USER_INPUT"
    status = 400


class InvalidCursor(BadInput):
    """An ``after`` or ``before`` that was not issued for this list."""

    code = "INVALID_CURSOR"


class Unauthenticated(AppError):
    """A request that needs a credential has none, or none that can be read."""

    code = "UNAUTHENTICATED"
    status = 401


class InvalidCredential(Unauthenticated):
    """A key or token that is unknown, forged, revoked, or not for us."""

    code = "INVALID_CREDENTIAL"


class CredentialExpired(Unauthenticated):
    """A key or token whose time is over."""

    code = "CREDENTIAL_EXPIRED"


class Unavailable(AppError):
    """A dependency (the database, the cache) did not answer."""

    code = "UNAVAILABLE"
    status = 503


class OutcomeUnknown(Unavailable):
    """The database was lost in the middle of a commit; or a change was made, and what came behind it was not."""

    code = "OUTCOME_UNKNOWN"


class Overloaded(AppError):
    """Everything is busy and the bounded wait is over; trying again later may work."""

    code = "OVERLOADED"
    status = 503
    headers: ClassVar[Mapping[str, str]] = {"retry-after": "1"}


class DeadlineExceeded(AppError):
    """The statement or request ran into its time limit and was stopped."""

    code = "DEADLINE_EXCEEDED"
    status = 504
