"""How a command asks a running server, over HTTP, as an operator.

With the standard library: the program starts in a fraction of the time that an HTTP client takes to import. Follows no
redirect, which would take the token along, and uses no proxy.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import click

F = TypeVar("F", bound=Callable[..., Any])

_EXAMPLE = "http://127.0.0.1:8080"
_SECONDS = 30.0

token_option = click.option(
    "--token",
    default="",
    envvar="XDS_OPERATOR_TOKEN",
    metavar="TOKEN",
    help="For --server: an operator's token, if it wants one. [env: XDS_OPERATOR_TOKEN]",
)


class Server:
    """A running server's HTTP side."""

    def __init__(self, url: str, token: str) -> None:
        """Raises click.UsageError where `url` or `token` can't be one."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise click.UsageError(f"--server: expected a URL like {_EXAMPLE}, got {url!r}")
        if not token.isascii() or not token.isprintable():
            raise click.UsageError("--token: expected an operator's token, got what can't be one")
        self.url = url.rstrip("/")
        self._headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._opener = build_opener(ProxyHandler({}), _NoRedirects())

    def get(self, path: str, **query: str | int | None) -> dict[str, Any]:
        """The JSON object at `path`; raises click.ClickException, with what the server says if it says anything."""
        asked = urlencode({name: value for name, value in query.items() if value is not None})
        return self._ask(path, Request(f"{self.url}{path}" + (f"?{asked}" if asked else ""), headers=self._headers))  # noqa: S310 -- http(s), checked above

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """What is answered to `body` at `path`; raises click.ClickException as `get` does."""
        headers = self._headers | {"Content-Type": "application/json"}
        return self._ask(path, Request(f"{self.url}{path}", json.dumps(body).encode(), headers))  # noqa: S310 -- as above

    def _ask(self, path: str, request: Request) -> dict[str, Any]:
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                told = json.load(answer)
        except HTTPError as refusal:
            raise click.ClickException(f"{self.url}: {_detail(refusal)}") from None
        except (URLError, HTTPException, OSError) as error:
            raise click.ClickException(f"{self.url}: cannot be asked: {getattr(error, 'reason', error)}") from None
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise click.ClickException(f"{self.url}{path}: expected a JSON object: is it an alphaswarm-xds server?")
        return told

    def get_all(self, path: str, **query: str | int | None) -> Iterator[dict[str, Any]]:
        """What all pages at `path` have."""
        cursor: str | None = None
        while True:
            page = self.get(path, **query, limit=1000, cursor=cursor)
            yield from page["data"]
            cursor = page.get("next")
            if cursor is None:
                return


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_arguments: object) -> None:
        """Follow none."""


def server_options(command: F) -> F:
    """Give a command --server, any number of them, and --token; its parameters are `servers` and `token`."""
    server = click.option(
        "--server",
        "servers",
        multiple=True,
        metavar="URL",
        help="A running server's HTTP address, http://xds.internal:8080; each replica, for all Envoys.",
    )
    return server(token_option(command))


def _detail(refusal: HTTPError) -> str:
    try:
        return str(json.load(refusal)["detail"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"answered {refusal.code} {refusal.reason}"
