"""What a table of session tokens may hold, and what is known of a token by it."""

import json

import pytest

from xds.callout.tokentable import TokenTable, parse_csv, parse_json
from xds.callout.verdicts import INVALID, Admitted
from xds.names import TenantId
from xds.opaque import digest

NOW = 1_800_000_000.0
KEY = digest("s3cret")
HEX = KEY.hex()
ROW = {"sha256": HEX, "tenant": "acme", "expires": NOW}


def as_json(*rows: object) -> TokenTable:
    return parse_json(json.dumps(rows))


def test_a_token_is_its_tenants_until_its_end_and_refused_from_then_on() -> None:
    table = as_json(ROW)

    assert table.find(KEY, NOW - 1) == Admitted(TenantId("acme"), NOW)
    assert table.find(KEY, NOW) == INVALID


def test_of_a_token_that_is_not_in_it_nothing_is_known() -> None:
    assert as_json(ROW).find(digest("another"), 0) is None
    assert as_json().find(KEY, 0) is None


@pytest.mark.parametrize("expires", [NOW, str(NOW), "2027-01-15T08:00:00Z", "2027-01-15T09:00:00+01:00"])
def test_an_end_is_a_number_or_a_time_with_its_zone(expires: object) -> None:
    assert as_json({**ROW, "expires": expires}).tokens == {KEY: Admitted(TenantId("acme"), NOW)}


def test_csv_has_the_same_fields_in_any_order() -> None:
    table = parse_csv(f'tenant,expires,sha256\nacme,2027-01-15T08:00:00Z,{HEX}\n"globex",{NOW},{"AB" * 32}\n')

    assert table.find(KEY, 0) == Admitted(TenantId("acme"), NOW)
    assert sorted(each.tenant for each in table.tokens.values()) == ["acme", "globex"]
    assert parse_csv("sha256,tenant,expires\n").tokens == {}


FAULTS = {
    "a token instead of its hash": {**ROW, "sha256": "s3cret"},
    "half a hash": {**ROW, "sha256": HEX[:32]},
    "a number for a hash": {**ROW, "sha256": 7},
    "the reserved tenant": {**ROW, "tenant": "-"},
    "a malformed tenant": {**ROW, "tenant": "a,b"},
    "no tenant": {**ROW, "tenant": None},
    "no end": {**ROW, "expires": None},
    "an end that is true": {**ROW, "expires": True},
    "an end without a zone": {**ROW, "expires": "2027-01-15T08:00:00"},
    "an end that is no time": {**ROW, "expires": "soon"},
    "an end that never is": {**ROW, "expires": "inf"},
    "an end beyond numbers": {**ROW, "expires": 10**400},
    "a field too few": {"sha256": HEX, "tenant": "acme"},
    "a field too many": {**ROW, "cell": "cell-shared-std-local"},
    "no object": [HEX, "acme", NOW],
}


@pytest.mark.parametrize("row", FAULTS.values(), ids=FAULTS.keys())
def test_one_wrong_entry_and_the_table_is_refused_by_its_number_without_a_secret(row: object) -> None:
    with pytest.raises(ValueError, match=r"^entry 2: ") as refusal:
        as_json({**ROW, "sha256": "00" * 32}, row)

    assert "s3cret" not in str(refusal.value)


def test_a_token_is_in_it_once() -> None:
    with pytest.raises(ValueError, match="entry 2: the same sha256"):
        as_json(ROW, {**ROW, "sha256": HEX.upper(), "tenant": "globex"})


@pytest.mark.parametrize("text", ["", "{", "{}", "7", '{"tokens": []}'])
def test_what_is_no_list_is_no_table(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "the file is empty"),
        (f"{HEX},acme,{NOW}\nx,y,z\n", "line 2: expected exactly expires, sha256, tenant"),
        (f"sha256,tenant,expires\n{HEX},acme\n", "line 2: expires"),
        (f"sha256,tenant,expires\n{HEX},acme,{NOW},more\n", "line 2: expected exactly"),
        ('sha256,tenant,expires\n"\n', "unexpected end of data"),
        (f"sha256,expires,tenant\n{HEX},{NOW},acme", "cut short"),
    ],
)
def test_csv_that_is_cut_short_or_has_no_heading_is_no_table(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_csv(text)
