"""The schema, put together."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.activity import Activity
from schema.company import Company
from schema.contact import Contact
from schema.deal import Deal
from schema.direct import resolve_directly
from schema.mutation import Mutation
from schema.query import Query
from schema.refusal import Conflict, Forbidden, NotFound, ValidationError
from schema.scalars import SCALARS
from schema.stage import Stage
from schema.user import User


def build_schema() -> strawberry.Schema:
    """The schema that is served, and that ``schema.graphql`` shows. Raises at once if it does not hold together."""
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        types=[Activity, Company, Contact, Deal, Stage, User, ValidationError, NotFound, Conflict, Forbidden],
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    schema._schema.description = "A sales dashboard: companies, contacts, deals in the stages of a pipeline, and activities."
    resolve_directly(schema)
    return schema
