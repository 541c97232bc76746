"""How a command asks running servers what they, and their Envoys, know of a tenant.

Fulfils `xds.operations.phasing.Witness`. Must not know what is made of the answers.
"""

import asyncio
from collections.abc import Sequence

import click

from xds.cli.remote import Server
from xds.errors import ReplicaUnavailable
from xds.names import CellId, TenantId
from xds.operations.phasing import Witnessed


class Servers:
    """Several replicas, by their URLs; `token` is an operator's, if they want one. Raises click.UsageError."""

    def __init__(self, urls: Sequence[str], token: str = "") -> None:
        self._servers = [Server(url, token) for url in urls]

    async def witness(self, tenant: TenantId) -> Sequence[Witnessed]:
        """What each replica says now; raises `ReplicaUnavailable` if one doesn't."""
        return await asyncio.gather(*(asyncio.to_thread(_ask, server, tenant) for server in self._servers))


def witness(urls: Sequence[str], token: str) -> Servers | None:
    """Who is asked; None if nobody is."""
    return Servers(urls, token) if urls else None


def _ask(server: Server, tenant: TenantId) -> Witnessed:
    try:
        told = server.get("/resolve", tenant=tenant)
        cell = told["cell"]
        return Witnessed(
            server=server.url,
            revision=int(told["revision"]),
            snapshot=int(told["snapshot"]),
            cell=CellId(cell["id"]) if cell else None,
            state=told["state"],
            envoys=tuple((str(each["node_id"]), str(each["progress"])) for each in told["envoys"]),
            why=tuple(told["why"]),
        )
    except click.ClickException as refusal:
        raise ReplicaUnavailable(f"server {refusal.format_message()}") from refusal
    except (ValueError, KeyError, TypeError) as error:
        raise ReplicaUnavailable(f"server {server.url}: expected an answer about {tenant}, got another") from error
