import re

import pytest
from envoy_data_plane.envoy.config.accesslog.v3 import AccessLogFilter

from xds.translate.unwritable import unwritable_claim


def held() -> list[AccessLogFilter]:
    """What all must be so that an answer is another: its status, and one of two headers."""
    mapped = unwritable_claim().filter
    assert mapped is not None
    assert mapped.and_filter is not None
    return mapped.and_filter.filters


def test_only_a_failure_to_send_becomes_a_refusal() -> None:
    status = held()[0].status_code_filter
    assert status is not None
    assert status.comparison is not None
    assert status.comparison.value is not None
    assert (status.comparison.op.name, status.comparison.value.default_value) == ("EQ", 503)
    assert unwritable_claim().status_code == 401


def patterns() -> dict[str, str]:
    """What each header is looked at for."""
    either = held()[1].or_filter
    assert either is not None
    headers = [each.header_filter.header for each in either.filters if each.header_filter]
    found = {each.name: each.string_match.safe_regex for each in headers if each and each.string_match}
    return {name: pattern.regex for name, pattern in found.items() if pattern}


@pytest.mark.parametrize("name", ["x-alphaswarm-subject", "x-alphaswarm-tenant"])
def test_what_a_claim_becomes_is_looked_at(name: str) -> None:
    pattern = re.compile(patterns()[name])

    for wrong in ("\n", "a\nb", "a\r\n", "\0", "\x7f", "a\nb\nc", "\x1b"):
        assert pattern.fullmatch(wrong), repr(wrong)
    for right in ("", "user@acme", "a\tb", "Zoë", "~"):
        assert not pattern.fullmatch(right), repr(right)
