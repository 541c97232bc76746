"""Which nodes a status request is about.

Pure. Follows envoy/type/matcher/v3; must not know what is told of a node.
"""

import re
from collections.abc import Callable, Sequence

from xds.proto import matcher_pb2 as pb

Match = Callable[[str], bool]


class Unmatchable(Exception):
    """A matcher that makes no sense."""


class Unsupported(Exception):
    """A matcher that makes sense, but not here."""


def to_match(matchers: Sequence[pb.NodeMatcher]) -> Match:
    """Whether any of the matchers, or there is none, takes a node id; raises `Unmatchable` or `Unsupported`."""
    matches = [_of_node(matcher) for matcher in matchers]
    return lambda node_id: not matches or any(match(node_id) for match in matches)


def _of_node(matcher: pb.NodeMatcher) -> Match:
    if matcher.node_metadatas:
        raise Unsupported("node_metadatas: nodes can be matched by their id only, their metadata is not kept")
    return _of_string(matcher.node_id) if matcher.HasField("node_id") else lambda _: True


def _of_string(matcher: pb.StringMatcher) -> Match:
    kind = matcher.WhichOneof("match_pattern")
    if kind is None:
        raise Unmatchable("node_id: expected exact, prefix, suffix, contains or safe_regex")
    if kind == "safe_regex":
        return _of_regex(matcher.safe_regex.regex)
    pattern: str = getattr(matcher, kind)
    if not pattern and kind != "exact":
        raise Unmatchable(f"node_id: an empty {kind} is not allowed")
    fold = str.casefold if matcher.ignore_case else str
    wanted = fold(pattern)
    return lambda text: _COMPARE[kind](fold(text), wanted)


_COMPARE: dict[str, Callable[[str, str], bool]] = {
    "exact": str.__eq__,
    "prefix": str.startswith,
    "suffix": str.endswith,
    "contains": str.__contains__,
}


def _of_regex(pattern: str) -> Match:
    # StringMatcher: `ignore_case` has no effect on it. RegexMatcher: the full string is matched, not a part of it.
    if not pattern:
        raise Unmatchable("node_id: an empty safe_regex is not allowed")
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise Unmatchable(f"node_id: safe_regex {pattern!r} is no regular expression: {error}") from error
    return lambda text: compiled.fullmatch(text) is not None
