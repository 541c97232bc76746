"""The demo identity provider on the network: its JWKS, and a token for whoever asks.

Run as a process of its own: `python -m xds.demo.idp_api --port 8000`. Its key is as old as the process. It asks for no
password, so it must be trusted by nothing but a demo.
"""

import argparse
import asyncio
import secrets

from aiohttp import web

from xds.demo.idp import AUDIENCE, ISSUER, IdentityProvider
from xds.demo.ports import LOOPBACK
from xds.demo.serving import serve

_IDP = web.AppKey("idp", IdentityProvider)
_LONGEST_SECONDS = 86400


async def _jwks(request: web.Request) -> web.Response:
    return web.Response(text=request.app[_IDP].jwks(), content_type="application/json")


async def _token(request: web.Request) -> web.Response:
    asked = request.query
    tenant, seconds = asked.get("tenant", ""), asked.get("seconds", "3600")
    if not tenant or not seconds.isdecimal() or not 0 < int(seconds) <= _LONGEST_SECONDS:
        expected = f"expected ?tenant=ID and perhaps &cell=ID, &role=NAME, &seconds=1…{_LONGEST_SECONDS}"
        return web.json_response({"error": expected}, status=400)
    roles = asked.getall("role", [])
    token = request.app[_IDP].mint(tenant, cell=asked.get("cell"), expires_in=int(seconds), roles=roles or ...)
    return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": int(seconds)})


async def _health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok", "issuer": ISSUER, "audience": AUDIENCE})


def make_app(idp: IdentityProvider) -> web.Application:
    """GET /jwks, /token?tenant=acme and /healthz, which has the issuer and the audience."""
    app = web.Application()
    app[_IDP] = idp
    app.add_routes([web.get("/jwks", _jwks), web.get("/token", _token), web.get("/healthz", _health)])
    return app


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description="A demo identity provider.")
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--host", default=LOOPBACK, help=f"the address to listen at; {LOOPBACK} unless told")
    arguments = parser.parse_args()
    # Another id for another key: whoever remembers the one of the process before can tell them apart.
    idp = IdentityProvider(key_id=f"demo-{secrets.token_hex(4)}")
    try:
        asyncio.run(serve(make_app(idp), arguments.host, arguments.port))
    except OSError as error:
        parser.exit(1, f"idp: cannot listen on {arguments.host}:{arguments.port}: {error.strerror}\n")


if __name__ == "__main__":
    main()
