"""What an operator's token lets its owner do: look (read), or change things (operate).

Pure. Which claim and which names are the identity provider's business; whoever may operate may read.
"""

from dataclasses import dataclass
from enum import StrEnum

from xds.tokens import Verified, find_claim


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
