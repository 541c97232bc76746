"""A temporary folder that must end empty; and a system that behaves as the story expects, or is told not to."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import jwt
import pytest

from xds.demo.client import Answer
from xds.demo.idp import AUDIENCE, ISSUER, IdentityProvider
from xds.demo.plan import Plan
from xds.demo.seed import Commit, place, tenant_names
from xds.demo.stack import Stack
from xds.errors import LocalFailure

IDP = IdentityProvider()
SEEN = "x-alphaswarm-"


@dataclass
class FakeEdge:
    """One Envoy: `faults` names the ways in which it is wrong."""

    system: "FakeSystem"
    faults: set[str] = field(default_factory=set)
    held: dict[str, str] = field(default_factory=dict)
    requests: int = 0

    async def get(self, _path: str, *, token: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        await asyncio.sleep(0.001)
        self.requests += 1
        if "silent" in self.faults or ("stutters" in self.faults and self.requests == 30):
            raise LocalFailure("no answer")
        claims = self._claims(token)
        if claims is None:
            return refusal(401, '"Jwt verification fails"')
        cell = self.held.get(claims["tenant_id"])
        if cell is None:
            text = "unknown tenant" if "talks plainly" in self.faults else '{"error": "unknown tenant"}'
            return refusal(404 if "lets through" in self.faults else 403, text)
        if claims.get("cell", cell) != cell and "ignores cells" not in self.faults:
            return refusal(401, '{"error": "token is bound to another cell"}')
        return account(cell, claims["tenant_id"], headers if "believes" in self.faults else None)

    async def echo(self, path: str, message: str, *, token: str = "") -> tuple[Answer, str]:
        return await self.get(path, token=token), "" if "mute" in self.faults else message

    def _claims(self, token: str) -> dict[str, str] | None:
        if "believes forgers" in self.faults:
            claims: dict[str, str] = {"tenant_id": "acme"} if token else {}
            return claims or None
        key = jwt.PyJWKSet.from_json(IDP.jwks())["demo-1"]
        try:
            claims = jwt.decode(token, key, algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER)
        except jwt.PyJWTError:
            return None
        return claims


class FakeSystem:
    """What the steps use of a `Stack`."""

    def __init__(self) -> None:
        self.plan = Plan()
        self.idp = IDP
        self.placements = place(tenant_names(24), self.plan.cells)
        self.clients = {edge: FakeEdge(self, held=dict(self.placements)) for edge in self.plan.edges}
        self.delay = 0.02

    @property
    def stack(self) -> Stack:
        return cast("Stack", self)

    async def get(self, edge: str, path: str, *, token: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        return await self.clients[edge].get(path, token=token, headers=headers)

    def tenants_of(self, cell: str) -> list[str]:
        return [tenant for tenant, placed in self.placements.items() if placed == cell]

    async def move(self, tenant: str, cell: str) -> Commit:
        sent = time.perf_counter()
        self.placements[tenant] = cell
        for edge in self.clients.values():
            if "is stuck" not in edge.faults:
                asyncio.get_running_loop().call_later(self.delay, edge.held.__setitem__, tenant, cell)
        return Commit(sent=sent, returned=time.perf_counter())


def account(cell: str, tenant: str, believed: Mapping[str, str] | None) -> Answer:
    headers = {f"{SEEN}cell": cell, f"{SEEN}tenant": tenant, **(believed or {})}
    body: dict[str, object] = {"cell": cell, "headers": headers}
    return Answer(status=200, text=json.dumps(body), body=body)


def refusal(status: int, text: str) -> Answer:
    body = json.loads(text) if text.startswith("{") else {}
    return Answer(status=status, text=text, body=body)


@pytest.fixture
def system() -> FakeSystem:
    return FakeSystem()


@pytest.fixture
def own_tmp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder with a short path, which must be empty again in the end."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)
        assert list(Path(folder).iterdir()) == []
