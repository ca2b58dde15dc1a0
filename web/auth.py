"""Who asks: the viewer of a request."""

from dataclasses import replace

from starlette.requests import Request

from core.viewer import EVERYONE, Viewer
from web.state import State


def viewer_of(request: Request[State]) -> Viewer:
    """Who asks: nobody we know. Where only trusted documents run, such a one does not see the schema either."""
    return replace(EVERYONE, may_explore=request.state["settings"].documents != "trusted-only")
