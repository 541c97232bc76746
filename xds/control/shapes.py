"""What every request and every answer has in common, and the kinds of value that several have.

The limits here are of what can be a value at all; what makes sense, the operations say.
"""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

LARGEST_NUMBER = 2**63 - 1

# Numbers alone would be taken for seconds since 1970.
_WRITTEN_OUT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")


Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=500)]
"""What people write, and names of things that are not ours: PostgreSQL takes no NUL."""

Message = Annotated[Text, Field(description="Why; it is kept.")]


class Request(BaseModel):
    """What is asked. A field that is unknown is refused: it may be a misspelt one that matters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Change(Request):
    """What is asked to be changed, and why."""

    message: Message = ""


class Answer(BaseModel):
    """What is answered. A field that is None is left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""A cell's or a tenant's id, as far as its letters go."""

Number = Annotated[int, Field(ge=0, le=LARGEST_NUMBER)]
"""In a path or a query."""

BodyNumber = Annotated[int, Field(ge=0, le=LARGEST_NUMBER, strict=True)]
"""In a body, where "1" is no number."""

Etag = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        description="The etag that was read of what is to change, several separated by commas, or * for any.",
    ),
]
Limit = Annotated[int, Field(ge=1, le=1000, description="How many at most.")]
Cursor = Annotated[
    str | None,
    Field(pattern=r"^[A-Za-z0-9_-]{1,1000}$", description="Where to go on: `next` of the page before."),
]
Next = Annotated[str | None, Field(description="The cursor of the next page; not there on the last one.")]


Tenants = Annotated[int, Field(ge=0, lt=2**31, strict=True)]
"""How many tenants a cell has room for."""


def _is_written_out(given: object) -> object:
    if isinstance(given, datetime) or (isinstance(given, str) and _WRITTEN_OUT.match(given)):
        return given
    raise ValueError("expected a date and a time with a zone, such as 2027-01-31T12:00:00Z")


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("expected a time that there is in UTC") from None


Time = Annotated[AwareDatetime, BeforeValidator(_is_written_out), AfterValidator(_in_utc)]
"""An instant; given in any zone."""


def to_time(seconds: float) -> datetime:
    """Seconds since the epoch as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
