"""Which media type an answer has: GraphQL over HTTP, section "Accept", and RFC 9110, section 12.5.1."""

from functools import lru_cache

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
HTML = "text/html"


@lru_cache(1024)
def best(accept: str | None, offers: tuple[str, ...]) -> str | None:
    """The offer that ``accept`` likes most, of equals the one it names first; None if it takes none of them.

    Without the header anything goes, and the first offer is taken.
    """
    if accept is None or not accept.strip():
        return offers[0]
    ranges = _ranges(accept)
    liked = {offer: _liking(ranges, offer) or (0.0, 0) for offer in offers}
    chosen = max(offers, key=lambda offer: liked[offer])
    return chosen if liked[chosen][0] > 0 else None


@lru_cache(1024)
def is_ruled_out(accept: str | None, offer: str) -> bool:
    """Whether ``accept`` says that the offer must not come, ``q=0``, and not merely nothing of it."""
    liking = _liking(_ranges(accept or ""), offer)
    return liking is not None and liking[0] == 0


def _liking(ranges: list[tuple[str, float]], offer: str) -> tuple[float, int] | None:
    """How much an offer is liked, and how early: as the range says that names it most closely; None if none does."""
    for name in (offer, offer.split("/", maxsplit=1)[0] + "/*", "*/*"):
        for place, (media_range, quality) in enumerate(ranges):
            if media_range == name:
                return quality, -place
    return None


def _ranges(accept: str) -> list[tuple[str, float]]:
    found = []
    for part in accept.split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "q":
                quality = _quality(value)
        found.append((media_range.lower(), quality))
    return found


def _quality(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        return 0.0
    return found if 0 <= found <= 1 else 0.0
