import pytest

from tests.support.edge import edge_options
from xds.translate import TenantOptions
from xds.translate.refusals import answer, direct, no_trace, suspended_tenant, unknown_tenant


def test_a_refusal_is_a_status_and_a_short_text() -> None:
    refusal = direct(403, "no")

    assert refusal.status == 403
    assert refusal.body is not None
    assert refusal.body.inline_string == "no"


def test_all_below_a_path_is_answered() -> None:
    route = answer("/api", 403, "no")

    assert route.match is not None
    assert route.match.path_separated_prefix == "/api"
    assert route.direct_response == direct(403, "no")


@pytest.mark.parametrize(("status", "retry"), [(503, ["30"]), (403, []), (401, [])])
def test_only_a_refusal_that_will_pass_says_when_to_come_back(status: int, retry: list[str]) -> None:
    headers = [each.header for each in answer("/api", status, "no").response_headers_to_add]

    assert [header.value for header in headers if header and header.key == "retry-after"] == retry


def test_unknown_and_suspended_tenants_are_told_apart_unless_that_is_not_wanted() -> None:
    told, hidden = edge_options(), edge_options(tenants=TenantOptions(hides_suspended=True))

    assert unknown_tenant(told) != suspended_tenant(told)
    assert unknown_tenant(hidden) == suspended_tenant(hidden)


def test_trace_is_refused_whatever_its_path() -> None:
    match = no_trace().match

    assert match is not None
    (method,) = match.headers
    assert method.string_match is not None
    assert (match.prefix, method.name, method.string_match.exact) == ("/", ":method", "TRACE")
    assert no_trace().direct_response == direct(405, "TRACE is not allowed")
