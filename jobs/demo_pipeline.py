"""A pipeline that looks lived in, made up from a seed, company by company.

Pure, and small in memory: ``blocks`` yields twenty companies at a time with the contacts, deals, stage changes and
activities of each. Every row is a tuple in the order of ``demo_rows.COLUMNS``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import NamedTuple
from uuid import UUID

from jobs import demo_words as words
from jobs.demo_people import FIRST_NAMES, LAST_NAMES, slug
from jobs.demo_rows import COLUMNS, SOURCE, Clock, stages, users, uuid_at

CONTACTS, DEALS, ACTIVITIES = 5, 10, 50  # of each company on average, and exactly in all
BLOCK = 20
KINDS = ("EMAIL",) * 34 + ("CALL",) * 24 + ("NOTE",) * 14 + ("MEETING",) * 12 + ("TASK",) * 16
COMPANY_NAMES = len(words.BEGINNINGS) * len(words.ENDINGS) * len(words.TRADES)
STEP = 15_013  # shares no factor with COMPANY_NAMES: steps of it visit every name before any comes again

Rows = dict[str, list[tuple[object, ...]]]


def blocks(companies: int, seed: int, today: datetime) -> Iterator[Rows]:
    """Twenty companies at a time and all that belongs to them: rows by table, parents before children."""
    maker = _Maker(companies, seed, today)
    for first in range(0, companies, BLOCK):
        yield maker.block(first, min(BLOCK, companies - first))


class _Person(NamedTuple):
    id: UUID
    first_name: str


class _Deal(NamedTuple):
    id: UUID
    owner: UUID
    contact: _Person | None
    start: float
    end: float
    is_open: bool

    def started(self) -> float:
        return self.start


@dataclass(slots=True)
class _Company:
    """What the rows of a company's contacts, deals and activities are made from; ``since`` is in working days."""

    id: UUID
    name: str
    domain: str
    place: words.Place
    deal_size: float
    owner: UUID
    since: float
    contacts: list[_Person] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    deals: list[_Deal] = field(default_factory=list)


class _Maker:
    """Draws everything from one random sequence, so that the order of the calls is part of the result."""

    def __init__(self, companies: int, seed: int, today: datetime) -> None:
        self.random = Random(seed)  # noqa: S311 - a story, not a secret
        self.draw, self.pick = self.random.random, self.random.choice
        self.clock = Clock(today)
        self.owners = [user.id for user in users(companies, today)]
        self.stages = [stage.id for stage in stages(today)]
        self.win_rates = {owner: 0.35 + 0.3 * self.draw() for owner in self.owners}
        self.first_name = self.random.randrange(COMPANY_NAMES)
        self.numbers = dict.fromkeys(COLUMNS, 0)
        self.rows: Rows = {}

    def block(self, first: int, size: int) -> Rows:
        """Company number ``first`` and those after it, sharing out by chance what ``size`` of them have in all."""
        self.rows = {table: [] for table in COLUMNS}
        weights = [self.random.lognormvariate(0, 0.5) for _ in range(size)]
        buyers = [weight if self.draw() > 0.12 else 0.0 for weight in weights]
        contacts = _shared_out((CONTACTS - 1) * size, weights)
        deals = _shared_out(DEALS * size, buyers if any(buyers) else weights)
        activities = _shared_out(ACTIVITIES * size, [1.0 + of_company for of_company in deals])
        for each in range(size):
            company = self.company(first + each)
            company.contacts.extend(self.contact(company) for _ in range(1 + contacts[each]))
            company.deals.extend(self.deal(company) for _ in range(deals[each]))
            for _ in range(activities[each]):
                self.activity(company)
        return self.rows

    def company(self, index: int) -> _Company:
        turn, number = divmod(index, COMPANY_NAMES)
        number, trade = divmod((number * STEP + self.first_name) % COMPANY_NAMES, len(words.TRADES))
        start, end = divmod(number, len(words.ENDINGS))
        trade_word, industry = words.TRADES[trade]
        stem = f"{words.BEGINNINGS[start]}{words.ENDINGS[end]} {trade_word}" + (f" {turn + 1}" if turn else "")
        place, size = self.pick(words.PLACES), self.random.choices(words.SIZES, words.SIZE_WEIGHTS)[0]
        since = self.clock.now - 1 - 780 * self.draw()
        moment = self.clock.moment(since)
        made = _Company(
            self.id_at(moment), f"{stem} {self.pick(place.forms)}", f"{slug(stem)}.example",
            place, size.deal_size, self.pick(self.owners), since,
        )  # fmt: skip
        revenue = None if self.draw() < 0.1 else int(size.revenue * self.random.lognormvariate(0, 0.4) / 1000) * 1000
        self.rows["company"].append((
            made.id, made.name, made.domain, f"https://www.{made.domain}", industry, size.employees,
            revenue, place.name, made.owner, SOURCE, self.external_id("company"), moment, moment,
        ))  # fmt: skip
        return made

    def contact(self, company: _Company) -> _Person:
        draw, pick = self.draw, self.pick
        language = company.place.language if draw() < 0.8 else "en"
        first, last = pick(FIRST_NAMES[language]), pick(LAST_NAMES[language])
        address = f"{first.ascii}.{last.ascii}"
        if address in company.names:
            address += str(len(company.names))
        company.names.add(address)
        moment = self.clock.moment(company.since + (self.clock.now - company.since) * draw() ** 3)
        is_nameless = draw() < 0.01  # somebody wrote to us, and no more is known
        person = _Person(self.id_at(moment), first.text)
        self.rows["contact"].append((
            person.id, None if is_nameless else first.text, None if is_nameless else last.text,
            f"{address}@{company.domain}" if is_nameless or draw() < 0.94 else None,
            f"{company.place.prefix} 555 {int(draw() * 10_000):04}" if draw() < 0.75 else None,
            pick(words.TITLES) if draw() < 0.9 else None, pick(words.ROLES) if draw() < 0.7 else None,
            company.id, company.owner, SOURCE, self.external_id("contact"), moment, moment,
        ))  # fmt: skip
        return person

    def deal(self, company: _Company) -> _Deal:
        draw, now = self.draw, self.clock.now
        owner = company.owner if draw() < 0.92 else self.pick(self.owners)
        # The square makes recent deals more frequent: a growing business, a third of whose deals are open.
        start = now - max((now - company.since) * draw() ** 2, 0.01)
        takes = max(self.random.lognormvariate(3.7, 0.6), 4.0)
        is_open = start + takes >= now or draw() < 0.04
        end = now if is_open else start + takes
        path = self.path(is_open, (now - start) / takes, self.win_rates[owner])
        times = [start, *sorted(self.between(start, end) for _ in path[1:])]
        if not is_open:
            times[-1] = end
        moments = [self.clock.moment(at) for at in times]
        contact = self.pick(company.contacts) if draw() < 0.9 else None
        made = _Deal(self.id_at(moments[0]), owner, contact, start, end, is_open)
        self.rows["deal"].append((
            made.id, f"{company.name}: {self.pick(words.PRODUCTS)}", self.value(company), self.stages[path[-1]],
            round(draw(), 2) if is_open and draw() < 0.15 else None,
            self.expected_close(start + takes) if is_open else None, None if is_open else moments[-1],
            company.id, contact.id if contact else None, owner,
            SOURCE, self.external_id("deal"), moments[0], moments[-1],
        ))  # fmt: skip
        self.history(made, path, moments)
        return made

    def path(self, is_open: bool, progress: float, win_rate: float) -> list[int]:
        """The places of the stages a deal went through, Lead first; 4 is Won, 5 is Lost."""
        if is_open:
            return list(range(1 + min(3, int(progress * 4 * (0.6 + 0.6 * self.draw())))))
        if self.draw() < win_rate:
            return [0, 1, 2, 3, 4]
        return [*range(self.random.randint(1, 4)), 5]

    def history(self, deal: _Deal, path: list[int], moments: list[datetime]) -> None:
        before: UUID | None = None
        for place, moment in zip(path, moments, strict=True):
            after = self.stages[place]
            self.rows["stage_change"].append((self.id_at(moment), deal.id, before, after, deal.owner, moment))
            before = after

    def value(self, company: _Company) -> Decimal | None:
        """Log-normal about 14,000 times the size of the company; one in twenty is not known."""
        if self.draw() < 0.05:
            return None
        amount = 14_000 * company.deal_size * self.random.lognormvariate(0, 0.9)
        if self.draw() < 0.1:
            return Decimal(int(amount * 100)).scaleb(-2)
        return Decimal(max(round(amount / 50), 1) * 50)

    def expected_close(self, planned: float) -> date:
        """The planned day, give or take a week; what is overdue is so by weeks, not by years."""
        return self.clock.moment(max(planned + self.random.gauss(0, 5), self.clock.now - 20 * self.draw())).date()

    def activity(self, company: _Company) -> None:
        draw, pick, clock = self.draw, self.pick, self.clock
        # The older of two: a deal that began yesterday has not had as many calls as one that took half a year.
        is_of_deal = bool(company.deals) and draw() < 0.85
        deal = min(pick(company.deals), pick(company.deals), key=_Deal.started) if is_of_deal else None
        contact = deal.contact if deal and deal.contact else pick(company.contacts)
        is_live = deal is None or deal.is_open
        at = self.between(deal.start, deal.end) if deal else self.between(company.since, clock.now)
        kind, logged = pick(KINDS), clock.moment(at)
        occurred, due, completed = logged, None, None
        if kind == "TASK":
            due, completed = self.task(at, is_live)
        elif kind in {"CALL", "MEETING"} and is_live and draw() < 0.03:
            # Arranged for today, whichever day of the week that is.
            occurred = clock.today + timedelta(minutes=5 * int(90 + 114 * draw()))
        subject = pick(words.SUBJECTS[kind])
        subject = subject.format(topic=pick(words.TOPICS), person=contact.first_name, company=company.name)
        body = " ".join(pick(words.REMARKS) for _ in range(pick((0, 0, 0, 1, 1, 2)))) or None
        self.rows["activity"].append((
            self.id_at(logged), kind, subject, body, occurred, due, completed,
            company.id, deal.id if deal else None, contact.id, deal.owner if deal else company.owner,
            SOURCE, self.external_id("activity"), logged, completed or logged,
        ))  # fmt: skip

    def task(self, at: float, is_live: bool) -> tuple[datetime, datetime | None]:
        """When a task set at ``at`` is due and was done: old ones are, of the last three weeks not all."""
        due, now = at + 1 + 14 * self.draw(), self.clock.now
        is_left = self.draw() < 0.75 if due >= now else due > now - 15 and self.draw() < 0.2
        if is_live and is_left:
            return self.clock.moment(due), None
        done = min(due + self.random.gauss(-0.5, 1), now - 0.01)
        return self.clock.moment(due), self.clock.moment(max(done, at))

    def between(self, start: float, end: float) -> float:
        return start + (end - start) * self.draw()

    def id_at(self, moment: datetime) -> UUID:
        return uuid_at(moment, self.random.getrandbits(74))

    def external_id(self, table: str) -> str:
        self.numbers[table] += 1
        return f"{table}-{self.numbers[table]}"


def _shared_out(total: int, weights: list[float]) -> list[int]:
    """``total`` in whole parts by weight; the parts add up exactly."""
    scale = total / sum(weights)
    reached, given, parts = 0.0, 0, []
    for weight in weights:
        reached += weight * scale
        parts.append(round(reached) - given)
        given += parts[-1]
    return parts
