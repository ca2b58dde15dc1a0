"""A company's analytics, as they are shown."""

from dataclasses import dataclass

from db.rows import CompanyAnalyticsRow


@dataclass(frozen=True, slots=True)
class Factor:
    """One reason for an engagement score; ``value`` is None where there was nothing to look at."""

    name: str
    weight: float
    value: float | None
    contribution: float


def factors_of(analytics: CompanyAnalyticsRow) -> list[Factor]:
    """The factors of the score, heaviest first."""
    columns = (analytics.names, analytics.weights, analytics.found, analytics.points)
    return [Factor(*each) for each in zip(*columns, strict=True)]
