"""What the proxies before us say of a request: for whom, to which host, by which path it came to them.

Applications build links, redirects and decisions of it, so it is believed of a proxy of ours only. From anybody else it
is removed, as by other edges; whence the request came is then said by Envoy alone.
"""

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation, HeaderMutationRemoveOnMatch
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

_PREFIXES = ("x-forwarded-", "x-original-", "x-rewrite-")
_NAMES = ("forwarded", "x-real-ip")


def forget_proxies(trusted_hops: int) -> list[HeaderMutation]:
    """Remove all that, if no proxy in front is trusted; else nothing, that proxy having seen to it."""
    if trusted_hops:
        return []
    prefixed = [HeaderMutationRemoveOnMatch(key_matcher=StringMatcher(prefix=each)) for each in _PREFIXES]
    return [
        *(HeaderMutation(remove_on_match=each) for each in prefixed),
        *(HeaderMutation(remove=each) for each in _NAMES),
    ]
