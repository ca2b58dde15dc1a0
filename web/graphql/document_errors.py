"""Why a document that is named by an id or a hash is not run; the codes are those of Apollo's server and router."""

from collections.abc import Mapping
from typing import ClassVar

from core.errors import AppError
from core.viewer import EXPLORE
from web.auth.credential import SCOPE_MISSING

# What is unknown now may be known a moment later: nothing on the way may keep such an answer.
NOT_KEPT = {"cache-control": "private, no-cache, must-revalidate"}


class DocumentError(AppError):
    """A document that is not run."""

    headers: ClassVar[Mapping[str, str]] = NOT_KEPT


class NotFound(DocumentError):
    """No client has registered this hash: the client is to send the text with it. 200 lets every client read it."""

    code = "PERSISTED_QUERY_NOT_FOUND"
    status = 200


class NotSupported(DocumentError):
    """Clients register nothing here: the client is to stop sending hashes."""

    code = "PERSISTED_QUERY_NOT_SUPPORTED"
    status = 200


class HashMismatch(DocumentError):
    """The hash is not that of the text beside it."""

    code = "PERSISTED_QUERY_HASH_MISMATCH"
    status = 400
    headers: ClassVar[Mapping[str, str]] = {}


class NotInList(DocumentError):
    """No trusted document has this id or this name."""

    code = "PERSISTED_QUERY_NOT_IN_LIST"
    status = 404


class NotInSafelist(DocumentError):
    """Only trusted documents run here, and this text is not one of them."""

    code = "QUERY_NOT_IN_SAFELIST"
    status = 403


class IntrospectionForbidden(DocumentError):
    """The schema is asked for by one who may not explore."""

    code = "INTROSPECTION_FORBIDDEN"
    status = 403
    headers: ClassVar[Mapping[str, str]] = {**NOT_KEPT, "www-authenticate": f'{SCOPE_MISSING}, scope="{EXPLORE}"'}


class IdRequired(DocumentError):
    """Only trusted documents run here, and none was named."""

    code = "PERSISTED_QUERY_ID_REQUIRED"
    status = 400
    headers: ClassVar[Mapping[str, str]] = {}


class IdAndBody(DocumentError):
    """The id of a document and the text of one: which of them is meant?"""

    code = "CANNOT_SEND_PQ_ID_AND_BODY"
    status = 400
