"""What the demo data is made of: the columns it fills, its sales people and stages, its clock and its ids."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from jobs.demo_people import USERS
from jobs.ids import uuid7

SOURCE = "demo"
COMPANIES_PER_USER = 500
FEWEST_USERS = 8

# Parents before children, so that a row finds what it refers to.
COLUMNS = {
    "company": "id name domain website industry size revenue location owner_id source external_id created_at updated_at",
    "contact": "id first_name last_name email phone title role company_id owner_id source external_id created_at updated_at",
    "deal": "id name value stage_id probability expected_close_date closed_at company_id contact_id owner_id"
    " source external_id created_at updated_at",
    "stage_change": "id deal_id from_stage_id to_stage_id changed_by changed_at",
    "activity": "id type subject body occurred_at due_at completed_at company_id deal_id contact_id owner_id"
    " source external_id created_at updated_at",
}


class User(NamedTuple):
    """A sales person: the columns of ``app_user``."""

    id: UUID
    name: str
    email: str
    source: str
    external_id: str
    created_at: datetime


class Stage(NamedTuple):
    """A step of the pipeline: the columns of ``stage``."""

    id: UUID
    name: str
    color: str
    position: int
    probability: float
    is_won: bool
    is_lost: bool
    source: str
    external_id: str
    created_at: datetime


class Clock:
    """Working time as one number: whole days count Monday to Friday, 0 is the start of this week's Monday.

    Moments drawn from it fall between 07:00 and 17:00 UTC and keep their order.
    """

    def __init__(self, today: datetime) -> None:
        self.today = today
        self.monday = today - timedelta(days=today.weekday())
        self.now = float(min(today.weekday(), 5))

    def moment(self, at: float) -> datetime:
        """The time of day and date of a working-day number."""
        day = int(at // 1)
        return self.monday + timedelta(days=day // 5 * 7 + day % 5, seconds=int(25_200 + (at - day) * 36_000))


def uuid_at(moment: datetime, tail: int) -> UUID:
    """A version 7 UUID (RFC 9562, 5.7) of that moment whose 74 random bits are ``tail``."""
    return uuid7(int(moment.timestamp() * 1000), tail)


def users(companies: int, today: datetime) -> list[User]:
    """The sales people for that many companies: 8, or one for each 500. Their ids are always the same."""
    count = max(FEWEST_USERS, companies // COMPANIES_PER_USER)
    found = []
    for number in range(1, count + 1):
        person = USERS[(number - 1) % len(USERS)]
        again = (number - 1) // len(USERS)
        text, address = (f"{person.text} {again + 1}", f"{person.ascii}-{again + 1}") if again else person
        email = f"{address.replace('-', '.')}@dealgraph.example"
        found.append(User(_fixed(number), text, email, SOURCE, f"user-{number}", today - timedelta(days=1200)))
    return found


def stages(today: datetime) -> list[Stage]:
    """The six stages in their order: four open ones, Won, Lost. Their ids are always the same."""
    kinds = (
        ("Lead", "#64748b", 0.1),
        ("Qualified", "#3b82f6", 0.3),
        ("Proposal", "#8b5cf6", 0.5),
        ("Negotiation", "#f59e0b", 0.75),
        ("Won", "#16a34a", 1.0),
        ("Lost", "#dc2626", 0.0),
    )
    found = []
    for place, (name, color, likely) in enumerate(kinds, 1):
        step = _fixed(1_000_000 + place), name, color, place, likely, name == "Won", name == "Lost"
        found.append(Stage(*step, SOURCE, name.lower(), today - timedelta(days=1200)))
    return found


def _fixed(number: int) -> UUID:
    return uuid_at(datetime(2024, 1, 1, tzinfo=UTC), number)
