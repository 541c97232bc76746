"""The same tokens through a real Envoy and through the Verifier: the answers are the same."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.e2e.watching import until
from tests.integration.translate.static import in_place
from tests.integration.translate.test_validate import running
from tests.support.edge import AUDIENCE, ISSUER, SHARED, cell, edge_options, endpoint, tenant, topology
from xds.demo.cell_api import make_app
from xds.demo.client import EdgeClient
from xds.demo.ports import free_port
from xds.names import PUBLIC_TENANT
from xds.tokens import Reason, Refused, TrustedIssuer, Verifier
from xds.translate import translate

pytestmark = pytest.mark.asyncio(loop_scope="module")

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ANY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
P521 = ec.generate_private_key(ec.SECP521R1())
ED = ed25519.Ed25519PrivateKey.generate()
STRANGER = ec.generate_private_key(ec.SECP256R1())
SKEW = 60


def _jwk(public: Mapping[str, Any], **more: str) -> dict[str, Any]:
    return {name: value for name, value in public.items() if name != "key_ops"} | more


JWKS = json.dumps(
    {
        "keys": [
            _jwk(RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True), kid="rsa", alg="RS256"),
            _jwk(RSAAlgorithm.to_jwk(ANY.public_key(), as_dict=True), kid="any"),
            _jwk(ECAlgorithm.to_jwk(P256.public_key(), as_dict=True), kid="p256", alg="ES256"),
            _jwk(ECAlgorithm.to_jwk(P384.public_key(), as_dict=True), kid="p384"),
            _jwk(ECAlgorithm.to_jwk(P521.public_key(), as_dict=True), kid="p521", alg="ES512"),
            _jwk(OKPAlgorithm.to_jwk(ED.public_key(), as_dict=True), kid="ed", alg="EdDSA"),
        ]
    }
)


def claims(**changes: object) -> dict[str, object]:
    """A good token's claims, changed; None takes one away."""
    now = int(time.time())
    good: dict[str, object] = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u", "exp": now + 600, "tenant_id": "acme"}
    return {name: value for name, value in (good | changes).items() if value is not None}


def sign(payload: Mapping[str, object], key: Any = P256, algorithm: str = "ES256", **headers: object) -> str:
    """A token, by PyJWT's lower half, which looks at no claim."""
    head = {"kid": "p256", "alg": algorithm, "typ": "JWT"} | headers
    return sign_text(json.dumps(payload).encode(), key, algorithm, head)


def sign_text(payload: bytes, key: Any = P256, algorithm: str = "ES256", head: object = None) -> str:
    """A token of any bytes."""
    header = json.dumps({"kid": "p256", "alg": algorithm} if head is None else head).encode()
    signed = f"{_base64(header)}.{_base64(payload)}"
    signature = jwt.get_algorithm_by_name(algorithm).sign(signed.encode(), key)
    return f"{signed}.{_base64(signature)}"


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _without_kid(payload: Mapping[str, object], key: Any, algorithm: str) -> str:
    return sign_text(json.dumps(payload).encode(), key, algorithm, {"alg": algorithm})


def _of_signatures() -> dict[str, str]:
    good = sign(claims())
    head, body, signature = good.split(".")
    none = _base64(b'{"alg":"none"}')
    public = json.dumps(json.loads(JWKS)["keys"][2]).encode()
    return {
        "good": good,
        "RS256": sign(claims(), RSA, "RS256", kid="rsa"),
        "an RSA key for any algorithm: RS512": sign(claims(), ANY, "RS512", kid="any"),
        "an RSA key for any algorithm: PS256": sign(claims(), ANY, "PS256", kid="any"),
        "an RSA key for another algorithm": sign(claims(), RSA, "PS256", kid="rsa"),
        "ES384": sign(claims(), P384, "ES384", kid="p384"),
        "ES512": sign(claims(), P521, "ES512", kid="p521"),
        "EdDSA": sign(claims(), ED, "EdDSA", kid="ed"),
        "no key id": _without_kid(claims(), P256, "ES256"),
        "no key id, the second RSA key": _without_kid(claims(), ANY, "RS256"),
        "another key's id": sign(claims(), kid="p384"),
        "an unknown key id": sign(claims(), kid="p256 "),
        "a key id that is no text": sign(claims(), kid=7),
        "a stranger's key": sign(claims(), STRANGER),
        "alg none": f"{none}.{body}.",
        "alg none with a signature": f"{none}.{body}.{signature}",
        "alg HS256 with the public key": sign(claims(), public, "HS256"),
        "alg HS256 with the public key, no key id": _without_kid(claims(), public, "HS256"),
        "alg in small letters": sign_text(json.dumps(claims()).encode(), head={"kid": "p256", "alg": "es256"}),
        "no alg": sign_text(json.dumps(claims()).encode(), head={"kid": "p256"}),
        "alg that is no text": sign_text(json.dumps(claims()).encode(), head={"kid": "p256", "alg": ["ES256"]}),
        "another's signature": f"{head}.{body}.{sign(claims(sub='v')).split('.')[2]}",
        "another's claims": f"{head}.{_base64(json.dumps(claims(tenant_id='globex')).encode())}.{signature}",
    }


def _of_shapes() -> dict[str, str]:
    good = sign(claims())
    head, body, signature = good.split(".")
    return {
        "half a signature": good[:-40],
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "four parts": f"{good}.{signature}",
        "no JWT": "abc",
        "claims that are no object": sign_text(b'["acme"]'),
        "claims that are no JSON": sign_text(b"acme"),
        "claims with NaN": sign_text(json.dumps(claims()).encode()[:-1] + b', "exp": NaN}'),
        "claims in UTF-16": sign_text(json.dumps(claims()).encode("utf-16")),
        "a header that is no JSON": f"{_base64(b'{')}.{body}.{signature}",
    }


def _of_times() -> dict[str, str]:
    now = int(time.time())
    return {
        "expired": sign(claims(exp=now - SKEW - 5)),
        "expired within the skew": sign(claims(exp=now - SKEW + 20)),
        "no expiry": sign(claims(exp=None)),
        "an expiry of 0": sign(claims(exp=0)),
        "an expiry of 0.5": sign(claims(exp=0.5)),
        "an expiry with a fraction": sign(claims(exp=now + 600.5)),
        "an expiry that is text": sign(claims(exp=str(now + 600))),
        "an expiry below zero": sign(claims(exp=-1)),
        "an expiry beyond 64 bits": sign(claims(exp=2**65)),
        "not yet": sign(claims(nbf=now + SKEW + 30)),
        "not yet within the skew": sign(claims(nbf=now + SKEW - 20)),
        "not yet, and no expiry": sign(claims(nbf=now + SKEW + 30, exp=None)),
        "nbf that is text": sign(claims(nbf="now")),
        "issued in the future": sign(claims(iat=now + 3600)),
        "iat that is text": sign(claims(iat="now")),
    }


def _of_names() -> dict[str, str]:
    now = int(time.time())
    return {
        "another issuer": sign(claims(iss="https://elsewhere.example")),
        "the issuer with a slash": sign(claims(iss=ISSUER + "/")),
        "no issuer": sign(claims(iss=None)),
        "an issuer that is no text": sign(claims(iss=[ISSUER])),
        "another audience": sign(claims(aud="someone-else")),
        "no audience": sign(claims(aud=None)),
        "an empty audience": sign(claims(aud="")),
        "no audience in a list": sign(claims(aud=[])),
        "the audience among others": sign(claims(aud=["someone-else", AUDIENCE])),
        "the audience with a scheme and a slash": sign(claims(aud=f"https://{AUDIENCE}/")),
        "the audience with another scheme": sign(claims(aud=f"ftp://{AUDIENCE}")),
        "an audience that is a number": sign(claims(aud=7)),
        "a list of audiences with a number": sign(claims(aud=[AUDIENCE, 7])),
        "another audience, and expired": sign(claims(aud="someone-else", exp=now - 3600)),
        "another audience, and forged": sign(claims(aud="someone-else"), STRANGER),
        "a subject that is a number": sign(claims(sub=7)),
        "a token id that is a number": sign(claims(jti=7)),
        "longer than what Envoy keeps in its cache": sign(claims(pad="x" * 5_000)),
    }


def _of_tenants_and_cells() -> dict[str, str]:
    return {
        "no tenant": sign(claims(tenant_id=None)),
        "an unknown tenant": sign(claims(tenant_id="nobody")),
        "the public tenant": sign(claims(tenant_id="-")),
        "a tenant in a list": sign(claims(tenant_id=["acme"])),
        "a tenant that is a number": sign(claims(tenant_id=42)),
        "a tenant that is a whole float": sign_text(json.dumps(claims()).replace('"acme"', "42.0").encode()),
        "a tenant that is true": sign(claims(tenant_id=True)),
        "bound here": sign(claims(cell=SHARED)),
        "bound elsewhere": sign(claims(cell="cell-other")),
        "bound to nothing": sign(claims(cell="")),
        "bound to null": sign_text(json.dumps(claims(cell=0)).replace('"cell": 0', '"cell": null').encode()),
        "bound to a number": sign(claims(cell=7)),
        "bound to a list": sign(claims(cell=[SHARED])),
    }


TOKENS = {**_of_signatures(), **_of_shapes(), **_of_times(), **_of_names(), **_of_tenants_and_cells()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EdgeClient]:
    """A real Envoy in front of a cell, with the listener that the translation makes."""
    api, admin, listen = free_port(), free_port(), free_port()
    here = cell(endpoints=(endpoint(f"127.0.0.1:{api}"),))
    named = (tenant("acme"), tenant("42"))
    translation = translate(topology(here, *named), edge_options(jwks=JWKS))
    file = _write(tmp_path_factory, in_place(translation, admin_port=admin, listen=listen))
    runner = web.AppRunner(make_app(SHARED), access_log=None, shutdown_timeout=1)
    await runner.setup()
    client = EdgeClient(listen)
    try:
        await web.TCPSite(runner, "127.0.0.1", api).start()
        with running(file):
            await _until_live(admin)
            yield client
    finally:
        await client.close()
        await runner.cleanup()


def _write(folders: pytest.TempPathFactory, bootstrap: bytes) -> Path:
    file = folders.mktemp("edge") / "bootstrap.pb"
    file.write_bytes(bootstrap)
    return file


async def _until_live(admin: int) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{admin}") as session:

        async def is_live() -> bool:
            try:
                async with session.get("/server_info") as answer:
                    return "LIVE" in await answer.text()
            except aiohttp.ClientError:
                return False

        await until(is_live, "Envoy is live", timeout=30)


def verdict(token: str) -> tuple[int, str]:
    """What the Verifier expects of the edge: the status, and the tenant that is let in."""
    trusted = TrustedIssuer(issuer=ISSUER, audiences=(AUDIENCE,), jwks=JWKS, clock_skew_seconds=SKEW)
    outcome = Verifier([trusted]).verify(token, time.time())
    if isinstance(outcome, Refused):
        return (403 if outcome.reason is Reason.AUDIENCE else 401), ""
    if outcome.tenant == PUBLIC_TENANT:
        return 403, ""
    if outcome.tenant not in ("acme", "42"):
        return 403, ""
    return (200, outcome.tenant) if outcome.cell in (None, SHARED) else (401, "")


@pytest.mark.parametrize("what", TOKENS)
async def test_the_verifier_says_what_envoy_does(edge: EdgeClient, what: str) -> None:
    answer = await edge.get("/api/x", token=TOKENS[what])
    said = (answer.status, (answer.saw("x-alphaswarm-tenant") or "") if answer.status == 200 else "")

    assert verdict(TOKENS[what]) == said, answer.text


async def test_the_verifier_is_stricter_about_what_the_issuer_calls_critical(edge: EdgeClient) -> None:
    # RFC 7515, section 4.1.11: who does not understand it must refuse. Envoy does not look.
    token = sign(claims(), crit=["moon"], moon="full")

    assert (await edge.get("/api/x", token=token)).status == 200
    assert verdict(token) == (401, "")
