"""Which media type and coding an answer has: GraphQL over HTTP, section "Accept", and RFC 9110, sections 12.5.1 and 12.5.3."""

from functools import lru_cache

from cache.encoding import Encoding

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
HTML = "text/html"
CODINGS: tuple[Encoding, ...] = ("br", "gzip")  # the one that is smaller first


@lru_cache(1024)
def best(accept: str | None, offers: tuple[str, ...]) -> str | None:
    """The offer that ``accept`` likes most, of equals the one it names first; None if it takes none of them.

    Without the header anything goes, and the first offer is taken.
    """
    ranges = _ranges(accept or "")
    if not ranges:
        return offers[0]
    liked = {offer: _liking(ranges, offer) or (0.0, 0) for offer in offers}
    chosen = max(offers, key=lambda offer: liked[offer])
    return chosen if liked[chosen][0] > 0 else None


@lru_cache(256)
def best_encoding(accepted: bytes) -> Encoding:
    """The coding to answer with, for a header ``Accept-Encoding``; none where it is missing or takes none of ours."""
    qualities = dict(_ranges(accepted.decode("latin-1")))
    liked = [(qualities.get(each, qualities.get("*", 0.0)), each) for each in CODINGS]
    quality, best_of_ours = max(liked, key=lambda pair: pair[0])
    return best_of_ours if quality > 0 and quality >= qualities.get("identity", 0.0) else "identity"


@lru_cache(1024)
def is_ruled_out(accept: str | None, offer: str) -> bool:
    """Whether ``accept`` says that the offer must not come, ``q=0``, and not merely nothing of it."""
    liking = _liking(_ranges(accept or ""), offer)
    return liking is not None and liking[0] == 0


def _liking(ranges: list[tuple[str, float]], offer: str) -> tuple[float, int] | None:
    """How much an offer is liked, and how early: as the range says that names it most closely; None if none does.

    Of several ranges of one name, whose parameters make no difference here, it is the one that likes it most.
    """
    for name in (offer, offer.split("/", maxsplit=1)[0] + "/*", "*/*"):
        said = [(quality, -place) for place, (media_range, quality) in enumerate(ranges) if media_range == name]
        if said:
            return max(said)
    return None


def _ranges(accept: str) -> list[tuple[str, float]]:
    """What is named, in lower case, and its quality; empty elements of the list are none (RFC 9110, section 5.6.1.2)."""
    found = []
    for part in filter(str.strip, accept.split(",")):
        named, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "q":
                quality = _quality(value)
        found.append((named.lower(), quality))
    return found


def _quality(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        return 0.0
    return found if 0 <= found <= 1 else 0.0
