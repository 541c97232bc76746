"""What an operator's token lets its owner do: look (read), or change things (operate).

Pure. Which claim and which names are the identity provider's business; whoever may operate may read.
"""

from dataclasses import dataclass
from enum import StrEnum

from xds.tokens import Verified, find_claim

_LONGEST_NAME = 200


class Role(StrEnum):
    """What can be allowed."""

    READ = "read"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleNames:
    """The claim that has the roles, and what they are called in it."""

    claim: str = "roles"
    read: str = "read"
    operate: str = "operate"

    def has(self, token: Verified, role: Role) -> bool:
        """Whether the token has `role`: in a list, or in a text with spaces between (as `scope` is)."""
        (value,) = find_claim(token.claims, self.claim) or ((),)
        named = value.split() if isinstance(value, str) else value if isinstance(value, list) else ()
        enough = (self.operate,) if role is Role.OPERATE else (self.read, self.operate)
        return any(name in named for name in enough)


def subject_of(token: Verified) -> str:
    """Whose token it is, for the record; one that does not say is its issuer's."""
    subject = token.claims.get("sub")
    text = subject if isinstance(subject, str) and subject else f"a token of {token.issuer}"
    return "".join(each if each.isprintable() else "?" for each in text)[:_LONGEST_NAME]
