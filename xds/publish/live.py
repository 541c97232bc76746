"""What is kept current even in a content that is frozen or of long ago: the keys that tokens are checked with.

With the keys of an old snapshot, tokens that are valid today would be refused, and withdrawn ones accepted. Pure.
"""

from functools import lru_cache

from xds.names import TypeUrl
from xds.publish.history import Recorded
from xds.publish.structure import options_of
from xds.snapshot import SHARED, Content, ContentChange, Place, Resource
from xds.translate import AuthOptions, jwks_of, token_checks


def with_live_keys(recorded: Recorded, auth: AuthOptions) -> Content:
    """The content of a snapshot, but with the keys of `auth`.

    As it is, if another version made it or `auth` does not know all of its issuers.
    """
    keys = tuple((each.issuer, each.jwks) for each in auth.issuers)
    checks = {Place(SHARED, TypeUrl.EXTENSION, each.name): each for each in _checks(recorded.entry.structure, keys)}
    return recorded.content.apply(ContentChange(upserts=checks)) if checks else recorded.content


def keys_in(content: Content) -> dict[str, str]:
    """Each issuer's JWKS as a content has it: for an issuer that the settings no longer know."""
    held = content.tables.get(SHARED, {}).get(TypeUrl.EXTENSION)
    return (
        {issuer: jwks for check in held.values() for issuer, jwks in jwks_of(check).items()} if held is not None else {}
    )


@lru_cache(maxsize=4)
def _checks(structure: str, keys: tuple[tuple[str, str], ...]) -> tuple[Resource, ...]:
    options = options_of(structure)
    if options is None:
        return ()
    auth = options.auth.with_keys(dict(keys))
    return tuple(token_checks(auth)) if all(each.jwks for each in auth.issuers) else ()
