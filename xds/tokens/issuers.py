"""The issuers as they are configured: one by variables, or several by a file.

Reads no keys. Every fault is one line that names the variable, or the file and the entry in it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from xds.errors import SettingsError
from xds.settings import Settings
from xds.tokens.algorithms import ALGORITHMS
from xds.tokens.claims import claim_path

_MOST_ISSUERS = 20
_FIELDS = frozenset(
    {"issuer", "audiences", "jwks_url", "jwks_file", "tenant_claim", "cell_claim", "algorithms", "operators"},
)
_EXPECTED = {
    "issuer": "the `iss` of its tokens",
    "audiences": "a list of one or more texts",
    "operators": "true or false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Whose tokens are taken; `jwks` is where its keys are, a URL or a file, and `setting` what says so.

    `operators` is whether its tokens may be an operator's.
    """

    issuer: str
    audiences: tuple[str, ...]
    jwks: str | Path
    tenant_claim: tuple[str, ...]
    cell_claim: tuple[str, ...]
    algorithms: tuple[str, ...]
    setting: str
    operators: bool = False


def read_issuers(settings: Settings) -> tuple[Issuer, ...]:
    """Every issuer; none if no token is looked at. Raises `SettingsError` unless tokens can be checked in full.

    Envoy does not check an empty issuer or audience, so serving without one would let any token in.
    """
    if settings.auth_mode == "off":
        return ()
    if settings.auth_issuers_file is None:
        return (_of_settings(settings),)
    alone = [
        name for name in ("auth_issuer", "auth_audience", "auth_jwks_file", "auth_jwks_url") if _given(settings, name)
    ]
    if alone:
        raise SettingsError(tuple(f"{name.upper()}: expected to be unset beside AUTH_ISSUERS_FILE" for name in alone))
    return _of_file(settings.auth_issuers_file, settings)


def _given(settings: Settings, name: str) -> bool:
    return bool(getattr(settings, name))


def _of_settings(settings: Settings) -> Issuer:
    mode = settings.auth_mode
    faults = [
        f"{name}: must be set while AUTH_MODE={mode}; refusing to serve an edge that cannot check tokens"
        for name, value in (
            ("AUTH_ISSUER", settings.auth_issuer),
            ("AUTH_AUDIENCE", settings.auth_audience),
            ("AUTH_JWKS_URL", settings.auth_jwks_url or settings.auth_jwks_file),
        )
        if not value
    ]
    if settings.auth_jwks_url and settings.auth_jwks_file:
        faults.append("AUTH_JWKS_URL: expected to be unset beside AUTH_JWKS_FILE")
    if faults:
        raise SettingsError(tuple(faults))
    given = {"issuer": settings.auth_issuer, "audiences": list(settings.auth_audience), "operators": True}
    place = (
        {"jwks_url": settings.auth_jwks_url} if settings.auth_jwks_url else {"jwks_file": str(settings.auth_jwks_file)}
    )
    names = {
        "jwks_url": "AUTH_JWKS_URL",
        "jwks_file": "AUTH_JWKS_FILE",
        "tenant_claim": "AUTH_TENANT_CLAIM",
        "cell_claim": "AUTH_CELL_CLAIM",
        "algorithms": "AUTH_ALGORITHMS",
    }
    return _Entry({**given, **place}, settings, names).issuer()


def _of_file(file: Path, settings: Settings) -> tuple[Issuer, ...]:
    where = f"AUTH_ISSUERS_FILE: {file}"
    try:
        entries = json.loads(file.read_bytes())
    except OSError as error:
        raise SettingsError((f"AUTH_ISSUERS_FILE: cannot read {file}: {error.strerror}",)) from None
    except (ValueError, RecursionError):
        raise SettingsError((f"{where}: expected JSON, a list of issuers",)) from None
    if not isinstance(entries, list) or not 1 <= len(entries) <= _MOST_ISSUERS:
        raise SettingsError((f"{where}: expected a list of 1 to {_MOST_ISSUERS} issuers",))
    issuers: list[Issuer] = []
    faults: list[str] = []
    for number, entry in enumerate(entries, start=1):
        try:
            issuers.append(_Entry(entry, settings, _Named(f"{where}: issuer {number}: ")).issuer())
        except SettingsError as error:
            faults += error.faults
    names = [each.issuer for each in issuers]
    faults += [f"{where}: issuer {name!r}: expected once" for name in sorted({n for n in names if names.count(n) > 1})]
    if faults:
        raise SettingsError(tuple(faults))
    return tuple(issuers)


class _Named(dict[str, str]):
    """What a field is called in a fault: as in the file, after where it stands."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self._where = where

    def __missing__(self, name: str) -> str:
        return f"{self._where}{name}"


class _Entry:
    """One issuer's fields, of which each is read and checked; `names` is what a fault calls them."""

    def __init__(self, given: object, settings: Settings, names: Mapping[str, str]) -> None:
        if not isinstance(given, dict):
            raise SettingsError((f"{names['']}expected an object",))
        self._given: dict[str, object] = given
        self._settings = settings
        self._names = names

    def issuer(self) -> Issuer:
        """The whole; raises `SettingsError` with every fault."""
        faults = list(self._faults())
        if faults:
            raise SettingsError(tuple(faults))
        given = self._given
        return Issuer(
            issuer=str(given["issuer"]),
            audiences=tuple(self._texts("audiences")),
            jwks=str(given["jwks_url"]) if "jwks_url" in given else Path(str(given["jwks_file"])),
            tenant_claim=claim_path(self._claim("tenant_claim")),
            cell_claim=claim_path(self._claim("cell_claim")),
            algorithms=self._algorithms(),
            setting=self._names["jwks_url" if "jwks_url" in given else "jwks_file"],
            operators=given.get("operators") is True,
        )

    def _faults(self) -> Iterator[str]:
        names, given = self._names, self._given
        yield from (f"{names[name]}: no such field" for name in sorted(given.keys() - _FIELDS))
        is_right = {
            "issuer": isinstance(given.get("issuer"), str) and bool(given["issuer"]),
            "audiences": bool(self._texts("audiences")),
            "operators": isinstance(given.get("operators", False), bool),
        }
        yield from (f"{names[name]}: expected {_EXPECTED[name]}" for name, right in is_right.items() if not right)
        if ("jwks_url" in given) == ("jwks_file" in given):
            yield f"{names['jwks_url']}: expected either it or a jwks_file"
        elif "jwks_url" in given:
            fault = _url_fault(str(given["jwks_url"]), insecure=self._settings.auth_jwks_insecure)
            if fault:
                yield f"{names['jwks_url']}: {fault}"
        for name in ("tenant_claim", "cell_claim"):
            try:
                claim_path(self._claim(name))
            except ValueError as error:
                yield f"{names[name]}: {error}"
        unknown = [each for each in self._algorithms() if each not in ALGORITHMS]
        if unknown or not self._algorithms():
            yield f"{names['algorithms']}: expected of {', '.join(ALGORITHMS)}, got {', '.join(map(repr, unknown))}"

    def _claim(self, name: str) -> str:
        default = self._settings.auth_tenant_claim if name == "tenant_claim" else self._settings.auth_cell_claim
        value = self._given.get(name, default)
        return value if isinstance(value, str) else ""

    def _algorithms(self) -> tuple[str, ...]:
        return tuple(self._texts("algorithms")) if "algorithms" in self._given else self._settings.auth_algorithms

    def _texts(self, name: str) -> list[str]:
        value = self._given.get(name)
        is_list = isinstance(value, list) and all(isinstance(each, str) and each for each in value)
        return value if isinstance(value, list) and is_list else []


def _url_fault(url: str, *, insecure: bool) -> str:
    """Why keys can't be fetched from there; empty if they can. Who can change them on the way could mint tokens."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        is_url = parts.scheme in ("http", "https") and bool(host) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_url, host, parts = False, "", urlsplit("")
    if not is_url:
        return f"expected an https:// URL, got {url!r}"
    if parts.username or parts.password:
        return "expected a URL without user and password"
    if parts.scheme == "https" or insecure or _is_loopback(host):
        return ""
    return f"expected an https:// URL (or AUTH_JWKS_INSECURE=true), got {url!r}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
