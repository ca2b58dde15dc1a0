"""Who asks: the viewer of a request."""

from starlette.requests import Request

from core.viewer import Viewer
from web.state import State, state_of


def viewer_of(request: Request[State]) -> Viewer:
    """Who asks, as ``web/middleware/authenticate.py`` found out; at an address that is open to all it may be nobody."""
    return state_of(request)["viewer"]
