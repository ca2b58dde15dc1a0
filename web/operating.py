"""Who may look inside: at details, figures and switches that are no client's business."""

from starlette.requests import Request

from core.errors import AppError
from core.network import is_local_name, is_loopback
from web.auth.asker import viewer_of
from web.state import State, state_of

FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


class NotForClients(AppError):
    """Something that the operator of the server may do, and nobody else."""

    code = "FORBIDDEN"
    status = 403


def is_local(request: Request[State]) -> bool:
    """Whether the request comes from this machine itself, and neither through a proxy on it nor from a page of another site.

    A site can give its own name to this machine's address (DNS rebinding), and a browser on it then asks by that name.
    """
    client = request.client.host if request.client else ""
    is_direct = not any(name in request.headers for name in FORWARDED)
    return is_loopback(client) and is_direct and is_local_name(request.headers.get("host", ""))


def is_operator(request: Request[State]) -> bool:
    """Whether the viewer is one by scope, or where nobody is asked who they are, asks on this machine."""
    if state_of(request)["authenticator"].is_off:
        return is_local(request)
    return viewer_of(request).is_admin


def require_operator(request: Request[State]) -> None:
    """Raises NotForClients."""
    if not is_operator(request):
        raise NotForClients("This is for operators: who has the scope crm:admin, or without AUTH asks on the machine itself.")
