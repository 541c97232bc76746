"""What is kept current even in a content that is frozen or of long ago: the keys that tokens are checked with.

With the keys of an old snapshot, tokens that are valid today would be refused, and withdrawn ones accepted. Pure.
"""

from collections.abc import Collection
from functools import lru_cache

from xds.names import NodeGroup, TypeUrl
from xds.publish.fleetview import LANE
from xds.publish.history import Recorded
from xds.publish.structure import options_of
from xds.snapshot import SHARED, Content, ContentChange, Place, Resource
from xds.translate import AuthOptions, jwks_of, token_checks


def with_live_keys(recorded: Recorded, auth: AuthOptions) -> Content:
    """The content of a snapshot, but with the keys of `auth`.

    As it is, if another version made it or `auth` does not know all of its issuers.
    """
    return _with_checks(recorded.content, recorded.entry.structure, auth, (SHARED,))


def with_live_lanes(content: Content, structure: str, auth: AuthOptions) -> Content:
    """The content, but with the keys of `auth` in the lanes of `structure` that have a check of tokens of their own."""
    lanes = [
        group for group, held in content.tables.items() if group.endswith(LANE) and len(held.get(TypeUrl.EXTENSION, ()))
    ]
    return _with_checks(content, structure, auth, lanes)


def _with_checks(content: Content, structure: str, auth: AuthOptions, groups: Collection[NodeGroup]) -> Content:
    keys = tuple((each.issuer, each.jwks) for each in auth.issuers)
    checks = _checks(structure, keys) if groups else ()
    upserts = {Place(group, TypeUrl.EXTENSION, each.name): each for each in checks for group in groups}
    return content.apply(ContentChange(upserts=upserts)) if upserts else content


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
