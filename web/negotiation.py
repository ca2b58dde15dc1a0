"""Which media type an answer has: GraphQL over HTTP, section "Accept", and RFC 9110, section 12.5.1."""

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
HTML = "text/html"


def best(accept: str | None, offers: tuple[str, ...]) -> str | None:
    """The offer that ``accept`` likes most, the first of equals in its own order; None if it takes none of them.

    Without the header anything goes, and the first offer is taken.
    """
    if accept is None or not accept.strip():
        return offers[0]
    chosen, quality = None, 0.0
    for wanted, liking in _ranges(accept):
        match = next((offer for offer in offers if _covers(wanted, offer)), None)
        if match is not None and liking > quality:
            chosen, quality = match, liking
    return chosen


def _ranges(accept: str) -> list[tuple[str, float]]:
    found = []
    for part in accept.split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "q":
                quality = _number(value)
        found.append((media_range.lower(), quality))
    return found


def _covers(media_range: str, offer: str) -> bool:
    return media_range in (offer, "*/*", offer.split("/", maxsplit=1)[0] + "/*")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
