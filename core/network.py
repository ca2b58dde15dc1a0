"""Networks, origins and hosts as settings write them."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?|null")


def networks_of(value: str | list[Network]) -> list[Network]:
    """The networks of a comma-separated text, a single address being one of itself. Raises ValueError."""
    return [ip_network(part.strip()) for part in value.split(",")] if isinstance(value, str) else value


def check_origin(text: str) -> str:
    """The text, if it is an origin as browsers send it (RFC 6454, section 6.1). Raises ValueError."""
    if not ORIGIN.fullmatch(text):
        raise ValueError(f"{text!r} is no origin: write https://app.example.com, with a port if it has one, or null")
    return text


def is_loopback(host: str) -> bool:
    """Whether it is a loopback address: only this machine can listen there, or come from there."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
