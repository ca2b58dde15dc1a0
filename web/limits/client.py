"""Who a request is counted for: its viewer by name, or else the address it came from.

``X-Forwarded-For`` is believed as far as it was written by proxies that we trust: the right-most address that is not one
of theirs is the client's (everything to its left is the client's own invention). An IPv6 client has a /64 to itself, and
is counted by that. A client whose network has no limits is nobody: ``UNLIMITED``.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from starlette.types import Scope

from core.settings import Settings
from core.viewer import UNNAMED, Viewer

Address: TypeAlias = IPv4Address | IPv6Address
Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]
UNLIMITED = ""
# A longer header is no chain of proxies; it is not read further to the left.
MOST_FORWARDED = 50
LONGEST_FORWARDED = 2_000


def client_named(viewer: Viewer | None, peer: str) -> str:
    """The name of a viewer, or of the peer (see ``peer_of``) if the viewer has none; UNLIMITED stays that."""
    if peer == UNLIMITED or viewer is None or viewer.subject in UNNAMED:
        return peer
    return f"subject:{viewer.subject}"


def peer_of(scope: Scope, settings: Settings) -> str:
    """The address of a request's client as a name; UNLIMITED if it is in a network without limits."""
    forwarded = b""
    if settings.trusted_proxies:
        forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")[-LONGEST_FORWARDED:]
    host = scope["client"][0] if scope["client"] else ""
    return _named(host, forwarded, tuple(settings.trusted_proxies), tuple(settings.limit_exempt))


def is_from_trusted_proxy(scope: Scope, settings: Settings) -> bool:
    """Whether a proxy that we trust has sent this, and its ``X-Forwarded-`` headers with it."""
    address = _address(scope["client"][0]) if scope["client"] else None
    return address is not None and _is_in(address, settings.trusted_proxies)


@lru_cache(4096)
def _named(host: str, forwarded: bytes, proxies: Networks, exempt: Networks) -> str:
    address = _address(host)
    if address is None:
        return "local"  # a Unix socket
    # A part that is no address ends the chain: the proxy that wrote it is all we know.
    for part in reversed(forwarded.decode("latin-1").split(",")[-MOST_FORWARDED:]):
        further = _address(part.strip()) if _is_in(address, proxies) else None
        if further is None:
            break
        address = further
    if _is_in(address, exempt):
        return UNLIMITED
    if isinstance(address, IPv6Address):
        return f"ip:{ip_network((address, 64), strict=False)}"
    return f"ip:{address}"


def _address(text: str) -> Address | None:
    """An address as proxies write it: with a port, in brackets, or neither. IPv4 within IPv6 is IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _is_in(address: Address, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    return any(address in network for network in networks)
