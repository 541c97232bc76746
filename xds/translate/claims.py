"""What a route may ask of an operator's token: conditions on its verified payload.

On the payload in dynamic metadata, since a claim that is a list is none that a header could be asked about. A route is
chosen again once the token is checked, so what is asked here is asked of claims that its issuer has signed.
"""

from envoy_data_plane.envoy.type.matcher.v3 import (
    ListMatcher,
    MetadataMatcher,
    MetadataMatcherPathSegment,
    OrMatcher,
    StringMatcher,
    ValueMatcher,
)

from xds.translate.authentication import PAYLOAD_NAMESPACE, PAYLOAD_PATH


def is_or_has(claim: tuple[str, ...], value: str) -> MetadataMatcher:
    """The claim is this string, or a list that has it."""
    either = [_exactly(value), ValueMatcher(list_match=ListMatcher(one_of=_exactly(value)))]
    return MetadataMatcher(
        filter=PAYLOAD_NAMESPACE,
        path=[MetadataMatcherPathSegment(key=key) for key in (*PAYLOAD_PATH, *claim)],
        value=ValueMatcher(or_match=OrMatcher(value_matchers=either)),
    )


def _exactly(value: str) -> ValueMatcher:
    return ValueMatcher(string_match=StringMatcher(exact=value))
