"""Networks, origins and hosts as settings write them."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
ORIGIN = re.compile(r"(https?)://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?|null")
DEFAULT_PORTS = {"http": "80", "https": "443"}


def networks_of(value: str | list[Network]) -> list[Network]:
    """The networks of a comma-separated text, a single address being one of itself. Raises ValueError."""
    return [ip_network(part.strip()) for part in value.split(",")] if isinstance(value, str) else value


def check_origin(text: str) -> str:
    """The text, if it is an origin as browsers send it (RFC 6454, section 6.1). Raises ValueError."""
    found = ORIGIN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no origin: write https://app.example.com, with a port if it has one, or null")
    scheme, port = found.groups()
    if port is not None and port == DEFAULT_PORTS[scheme]:
        raise ValueError(f"{text!r} is no origin: browsers leave out :{port} behind {scheme}://, and so must you")
    if port is not None and (port.startswith("0") or int(port) > 65535):
        raise ValueError(f"{text!r} is no origin: a port is a number from 1 to 65535")
    return text


def is_local_name(host: str) -> bool:
    """Whether a ``Host``, with its port or without, is a name of this machine that nobody else can give to theirs.

    ``localhost`` and what is below it are never looked up elsewhere (RFC 6761, section 6.3).
    """
    name = host.lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    return is_loopback(name) or name.endswith(".localhost")


def is_address(host: str) -> bool:
    """Whether it is an IP address, and no name that has to be looked up."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether it is a loopback address: only this machine can listen there, or come from there."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
