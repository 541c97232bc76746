"""What a route may ask of a token: conditions on its verified payload.

Always on the payload in dynamic metadata, never on headers, which a client may repeat. A route is chosen again
once the token is checked, so what is asked here is asked of claims that its issuer has signed.
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


def is_present(claim: str) -> MetadataMatcher:
    """The token has the claim, whatever its value: null and an empty list are values too."""
    return _matcher(claim, ValueMatcher(present_match=True))


def is_not(claim: str, value: str) -> MetadataMatcher:
    """The claim is anything but this string, or is not there."""
    return _matcher(claim, _exactly(value), invert=True)


def is_or_has(claim: str, value: str) -> MetadataMatcher:
    """The claim is this string, or a list that has it."""
    either = [_exactly(value), ValueMatcher(list_match=ListMatcher(one_of=_exactly(value)))]
    return _matcher(claim, ValueMatcher(or_match=OrMatcher(value_matchers=either)))


def _exactly(value: str) -> ValueMatcher:
    return ValueMatcher(string_match=StringMatcher(exact=value))


def _matcher(claim: str, value: ValueMatcher, *, invert: bool = False) -> MetadataMatcher:
    path = [MetadataMatcherPathSegment(key=key) for key in (*PAYLOAD_PATH, *claim.split("."))]
    return MetadataMatcher(filter=PAYLOAD_NAMESPACE, path=path, value=value, invert=invert)
