"""What is measured: five operations, and for each the keys it is asked with in turn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

TEN_COMPANIES = """companies(ownerId: $ownerId, includeStats: true, limit: 10) {
    edges {
      node { id name contactCount dealsValue deals(limit: 5) { id name value stage { name color } } }
    }
    pageInfo { hasNextPage endCursor }
  }"""

WHOLE_DASHBOARD = """dashboard(ownerId: $ownerId, timeZone: "UTC") {
    overview {
      deals { total pipelineValue wonValue winRate }
      activities { today thisWeek }
      companies { total withDeals }
    }
    pipeline { stage { id name color } count value weightedValue share }
    recent {
      activities(limit: 10) { id type subject occurredAt company { id name } deal { id name } }
      tasks(limit: 5) { id subject dueAt company { id name } }
    }
    generatedAt
  }"""

SEED_DASHBOARD = "query Dashboard($ownerId: ID!) {\n  " + TEN_COMPANIES + "\n}"
DASHBOARD = "query DashboardScreen($ownerId: ID!) {\n  " + WHOLE_DASHBOARD + "\n}"
FULL = "query FullDashboard($ownerId: ID!) {\n  " + WHOLE_DASHBOARD + "\n  " + TEN_COMPANIES + "\n}"

DEAL = """query Deal($id: ID!) {
  deal(id: $id) {
    id name value status probability expectedCloseDate createdAt
    company { id name domain }
    contact { id fullName email }
    stage { id name color }
    owner { id name }
  }
}"""

COMPANIES = """query Companies($ownerId: ID!) {
  companies(ownerId: $ownerId, limit: 50) {
    edges {
      node {
        id name industry revenue
        deals(limit: 5) { id name value stage { name color } }
        contacts(limit: 5) { id fullName email title }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}"""


@dataclass(frozen=True, slots=True)
class Scenario:
    """An operation and what its one variable is the id of."""

    name: str
    title: str
    document: str
    variable: str
    keyed_by: Literal["owner", "deal"]

    def body(self, key: str) -> Mapping[str, object]:
        """The JSON of a request with that key."""
        return {"query": self.document, "variables": {self.variable: key}}


SCENARIOS = (
    Scenario("seed", "seed Dashboard: 10 companies with deals", SEED_DASHBOARD, "ownerId", "owner"),
    Scenario("dashboard", "dashboard with everything", DASHBOARD, "ownerId", "owner"),
    Scenario("full", "full Dashboard: both of these at once", FULL, "ownerId", "owner"),
    Scenario("deal", "one deal by id", DEAL, "id", "deal"),
    Scenario("companies", "50 companies with deals and contacts", COMPANIES, "ownerId", "owner"),
)
