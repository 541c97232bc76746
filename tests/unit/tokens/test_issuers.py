"""Issuers by variables and by a file: what is read, and what is refused by name."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from xds.errors import SettingsError
from xds.settings import Settings
from xds.tokens.issuers import Issuer, read_issuers

URL = "https://idp.example/jwks"
ONE: dict[str, Any] = {"issuer": "https://idp", "audiences": ["api"], "jwks_url": URL}


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {name.upper() for name in Settings.model_fields} & os.environ.keys():
        monkeypatch.delenv(name)


def stamped(**given: Any) -> Settings:
    stamp = {"auth_issuer": "https://idp", "auth_audience": "api, admin", "auth_jwks_url": URL}
    return Settings.model_validate({**stamp, **given})


def several(path: Path, entries: object, **given: Any) -> Settings:
    path.write_text(entries if isinstance(entries, str) else json.dumps(entries))
    return Settings.model_validate({"auth_issuers_file": path, **given})


def faults(settings: Settings) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        read_issuers(settings)
    assert all("\n" not in fault for fault in refused.value.faults)
    return refused.value.faults


# By variables


def test_one_issuer_is_named_by_variables() -> None:
    assert read_issuers(stamped()) == (
        Issuer(
            issuer="https://idp",
            audiences=("api", "admin"),
            jwks=URL,
            tenant_claim=("tenant_id",),
            cell_claim=("cell",),
            algorithms=("RS256", "ES256"),
            setting="AUTH_JWKS_URL",
            operators=True,
        ),
    )


def test_its_keys_may_be_in_a_file(tmp_path: Path) -> None:
    (issuer,) = read_issuers(stamped(auth_jwks_url="", auth_jwks_file=tmp_path))

    assert (issuer.jwks, issuer.setting) == (tmp_path, "AUTH_JWKS_FILE")


@pytest.mark.parametrize("mode", ["required", "optional"])
@pytest.mark.parametrize("unset", [("auth_issuer",), ("auth_audience",), ("auth_issuer", "auth_jwks_url")])
def test_without_all_of_it_nothing_is_served(mode: str, unset: tuple[str, ...]) -> None:
    told = faults(stamped(auth_mode=mode, **dict.fromkeys(unset, "")))

    assert [fault.partition(":")[0] for fault in told] == [name.upper() for name in unset]
    assert all(f"must be set while AUTH_MODE={mode}" in fault for fault in told)


def test_with_nothing_stamped_all_that_is_missing_is_named() -> None:
    assert [fault.partition(":")[0] for fault in faults(Settings())] == [
        "AUTH_ISSUER",
        "AUTH_AUDIENCE",
        "AUTH_JWKS_URL",
    ]


def test_an_audience_of_separators_only_is_no_audience() -> None:
    (fault,) = faults(stamped(auth_audience=" , "))

    assert fault.startswith("AUTH_AUDIENCE: must be set")


def test_with_no_token_looked_at_there_are_no_issuers() -> None:
    assert read_issuers(Settings(auth_mode="off", auth_anonymous_tenant="acme")) == ()


def test_keys_are_in_one_place() -> None:
    assert faults(stamped(auth_jwks_file=Path("f"))) == ("AUTH_JWKS_URL: expected to be unset beside AUTH_JWKS_FILE",)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"auth_tenant_claim": "a..b"}, "AUTH_TENANT_CLAIM: expected a claim's name"),
        ({"auth_cell_claim": "/"}, "AUTH_CELL_CLAIM: expected a claim's name"),
        ({"auth_algorithms": "RS256,HS256"}, "AUTH_ALGORITHMS: expected of RS256,"),
        ({"auth_algorithms": "none"}, "AUTH_ALGORITHMS: expected of RS256,"),
        ({"auth_algorithms": " , "}, "AUTH_ALGORITHMS: expected of RS256,"),
        (
            {"auth_jwks_url": "http://idp.example/jwks"},
            "AUTH_JWKS_URL: expected an https:// URL (or AUTH_JWKS_INSECURE",
        ),
        ({"auth_jwks_url": "ftp://idp.example"}, "AUTH_JWKS_URL: expected an https:// URL, got"),
        ({"auth_jwks_url": "https://"}, "AUTH_JWKS_URL: expected an https:// URL, got"),
        ({"auth_jwks_url": "https://idp:x/"}, "AUTH_JWKS_URL: expected an https:// URL, got"),
        ({"auth_jwks_url": "https://u:p@idp/"}, "AUTH_JWKS_URL: expected a URL without user and password"),
    ],
)
def test_a_fault_is_told_by_its_variable(given: dict[str, Any], fault: str) -> None:
    (told,) = faults(stamped(**given))

    assert told.startswith(fault)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/jwks", "http://[::1]/jwks", "http://localhost/jwks", URL])
def test_keys_come_by_https_or_from_this_machine(url: str) -> None:
    assert read_issuers(stamped(auth_jwks_url=url))[0].jwks == url


def test_or_from_wherever_the_operator_says() -> None:
    assert read_issuers(stamped(auth_jwks_url="http://idp/jwks", auth_jwks_insecure=True))[0].jwks == "http://idp/jwks"


# By a file


def test_several_issuers_are_named_in_a_file(tmp_path: Path) -> None:
    other = {
        "issuer": "https://other",
        "audiences": ["a", "b"],
        "jwks_file": "/keys.json",
        "tenant_claim": "/https:~1~1x~1tenant",
        "cell_claim": "org.cell",
        "algorithms": ["EdDSA"],
    }
    one, two = read_issuers(several(tmp_path / "issuers.json", [ONE, other], auth_tenant_claim="org"))

    assert (one.jwks, one.tenant_claim, one.algorithms) == (URL, ("org",), ("RS256", "ES256"))
    assert two == Issuer(
        issuer="https://other",
        audiences=("a", "b"),
        jwks=Path("/keys.json"),
        tenant_claim=("https://x/tenant",),
        cell_claim=("org", "cell"),
        algorithms=("EdDSA",),
        setting=f"AUTH_ISSUERS_FILE: {tmp_path / 'issuers.json'}: issuer 2: jwks_file",
    )


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"issuer": ""}, "issuer: expected the `iss`"),
        ({"issuer": 5}, "issuer: expected the `iss`"),
        ({"audiences": []}, "audiences: expected a list"),
        ({"audiences": "api"}, "audiences: expected a list"),
        ({"audiences": ["api", ""]}, "audiences: expected a list"),
        ({"jwks_file": "x"}, "jwks_url: expected either it or a jwks_file"),
        ({"jwks_url": "http://x"}, "jwks_url: expected an https:// URL"),
        ({"tenant_claim": 5}, "tenant_claim: expected a claim's name"),
        ({"cell_claim": ""}, "cell_claim: expected a claim's name"),
        ({"algorithms": "RS256"}, "algorithms: expected of RS256"),
        ({"algorithms": ["HS256"]}, "algorithms: expected of RS256"),
        ({"audience": "api"}, "audience: no such field"),
        ({"operators": "true"}, "operators: expected true or false"),
        ({"operators": 1}, "operators: expected true or false"),
        ({"operators": None}, "operators: expected true or false"),
    ],
)
def test_a_fault_is_told_by_its_file_and_place(tmp_path: Path, entry: dict[str, Any], fault: str) -> None:
    file = tmp_path / "issuers.json"

    (told,) = faults(several(file, [{**ONE, "issuer": "https://first"}, {**ONE, **entry}]))

    assert told.startswith(f"AUTH_ISSUERS_FILE: {file}: issuer 2: {fault}")


@pytest.mark.parametrize(
    ("entry", "operators"), [({}, False), ({"operators": False}, False), ({"operators": True}, True)]
)
def test_of_several_issuers_those_that_say_so_may_name_operators(
    tmp_path: Path, entry: dict[str, Any], operators: bool
) -> None:
    (issuer,) = read_issuers(several(tmp_path / "issuers.json", [{**ONE, **entry}]))

    assert issuer.operators is operators


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "[1]", json.dumps([ONE] * 21)])
def test_a_file_that_lists_no_issuers_is_refused(tmp_path: Path, text: str) -> None:
    assert faults(several(tmp_path / "issuers.json", text))[0].startswith("AUTH_ISSUERS_FILE: ")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (fault,) = faults(Settings(auth_issuers_file=tmp_path / "nowhere"))

    assert fault.endswith("nowhere: No such file or directory")


def test_an_issuer_is_named_once(tmp_path: Path) -> None:
    (fault,) = faults(several(tmp_path / "issuers.json", [ONE, ONE]))

    assert fault.endswith("issuer 'https://idp': expected once")


def test_a_file_and_the_variables_of_one_issuer_exclude_each_other(tmp_path: Path) -> None:
    told = faults(several(tmp_path / "issuers.json", [ONE], auth_issuer="https://idp", auth_jwks_url=URL))

    assert [fault.partition(":")[0] for fault in told] == ["AUTH_ISSUER", "AUTH_JWKS_URL"]
