"""The story's steps: each asks the running system and says what really came.

Knows nothing about a terminal.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TypeAlias

from xds.demo.checks import Check, Step, arrived, refused
from xds.demo.following import follow
from xds.demo.stack import Stack
from xds.errors import LocalFailure

_PATH = "/api/whoami"
_UNKNOWN = "nobody-we-know"
_LONG_AGO = -3600.0  # far beyond the clock skew that is allowed

Result: TypeAlias = tuple[list[Check], Mapping[str, float]]


async def tell(stack: Stack) -> AsyncIterator[Step]:
    """Every step in order; one that cannot even be asked is a step that failed."""
    for name, (title, ask) in STORY.items():
        try:
            checks, measured = await ask(stack)
        except LocalFailure as error:
            checks, measured = [Check(asked="to ask at all", came=str(error), ok=False)], {}
        yield Step(id=name, title=title, checks=tuple(checks), measured=measured)


def mover(stack: Stack) -> str:
    """The tenant that moves from the first cell to the second."""
    return next(iter(stack.placements))


async def _arrives(stack: Stack) -> Result:
    checks = []
    for edge in stack.clients:
        for cell in stack.plan.cells:
            tenant = stack.tenants_of(cell)[0]
            answer = await stack.get(edge, _PATH, token=stack.idp.mint(tenant))
            checks.append(arrived(f"{edge}: GET {_PATH} as {tenant}", answer, tenant=tenant, cell=cell))
    return checks, {}


async def _websocket(stack: Stack) -> Result:
    cell = stack.plan.cells[0]
    tenant = stack.tenants_of(cell)[0]
    checks = []
    for edge, client in stack.clients.items():
        answer, echoed = await client.echo("/ws/demo", "ping", token=stack.idp.mint(tenant))
        check = arrived(f"{edge}: websocket /ws/demo as {tenant}", answer, tenant=tenant, cell=cell)
        checks.append(Check(asked=check.asked, came=f"{check.came}; echo {echoed!r}", ok=check.ok and echoed == "ping"))
        answer, _ = await client.echo("/ws/demo", "ping")
        checks.append(refused(f"{edge}: websocket /ws/demo, no token", answer, status=401))
    return checks, {}


async def _spoofed(stack: Stack) -> Result:
    own, other = stack.plan.cells[:2]
    tenant, victim = stack.tenants_of(own)[0], stack.tenants_of(other)[0]
    lies = {"x-alphaswarm-cell": other, "x-alphaswarm-tenant": victim}
    checks = []
    for edge in stack.clients:
        for header, value in lies.items():
            answer = await stack.get(edge, _PATH, token=stack.idp.mint(tenant), headers={header: value})
            checks.append(arrived(f"{edge}: as {tenant}, with {header}: {value}", answer, tenant=tenant, cell=own))
        answer = await stack.get(edge, _PATH, headers=lies)
        checks.append(refused(f"{edge}: the same headers, no token", answer, status=401))
    return checks, {}


async def _bad_tokens(stack: Stack) -> Result:
    tenant = stack.tenants_of(stack.plan.cells[0])[0]
    tokens = {
        "no token": "",
        "a token that is none": "not.a.token",
        "a forged signature": stack.idp.mint(tenant, forged=True),
        "a token of another issuer": stack.idp.mint(tenant, issuer="https://elsewhere.example"),
        "an expired token": stack.idp.mint(tenant, expires_in=_LONG_AGO),
    }
    checks = []
    for edge in stack.clients:
        for name, token in tokens.items():
            answer = await stack.get(edge, _PATH, token=token)
            checks.append(refused(f"{edge}: {tenant} with {name}", answer, status=401))
    return checks, {}


async def _unknown_tenant(stack: Stack) -> Result:
    checks = []
    for edge in stack.clients:
        answer = await stack.get(edge, _PATH, token=stack.idp.mint(_UNKNOWN))
        asked = f"{edge}: a good token for {_UNKNOWN}, a tenant of no cell"
        checks.append(refused(asked, answer, status=403, as_json=True))
    return checks, {}


async def _moves(stack: Stack) -> Result:
    old, new = stack.plan.cells[:2]
    tenant = mover(stack)
    bound = stack.idp.mint(tenant, cell=old)
    checks = []
    for edge in stack.clients:
        answer = await stack.get(edge, _PATH, token=bound)
        checks.append(arrived(f"{edge}: before, as {tenant} bound to {old}", answer, tenant=tenant, cell=old))
    followed = await follow(stack, tenant, new)
    for edge in stack.clients:
        late = followed.after_commit_ms.get(edge)
        came = "it did not follow" if late is None else f"first answer from {new} {late:.1f} ms after COMMIT"
        checks.append(Check(asked=f"{edge}: UPDATE tenants: {tenant} to {new}", came=came, ok=late is not None))
    asked = f"the {followed.requests} requests meanwhile"
    checks.append(Check(asked=asked, came=f"{followed.failed} failed", ok=followed.failed == 0))
    for edge in stack.clients:
        answer = await stack.get(edge, _PATH, token=stack.idp.mint(tenant))
        checks.append(arrived(f"{edge}: after, as {tenant}", answer, tenant=tenant, cell=new))
    measured = {f"{edge}_after_commit_ms": round(late, 3) for edge, late in followed.after_commit_ms.items()}
    sent = {f"{edge}_after_sending_ms": round(late, 3) for edge, late in followed.after_sending_ms.items()}
    return checks, {**measured, **sent}


async def _bound_elsewhere(stack: Stack) -> Result:
    old, new = stack.plan.cells[:2]
    tenant = mover(stack)
    checks = []
    for edge in stack.clients:
        answer = await stack.get(edge, _PATH, token=stack.idp.mint(tenant, cell=old))
        checks.append(refused(f"{edge}: {tenant}, token bound to {old}", answer, status=401))
        answer = await stack.get(edge, _PATH, token=stack.idp.mint(tenant, cell=new))
        checks.append(arrived(f"{edge}: {tenant}, token bound to {new}", answer, tenant=tenant, cell=new))
    return checks, {}


STORY: Mapping[str, tuple[str, Callable[[Stack], Awaitable[Result]]]] = {
    "arrives": ("A tenant's request arrives at its cell, through each Envoy", _arrives),
    "websocket": ("So does its websocket", _websocket),
    "spoofed": ("A client's own x-alphaswarm-* headers lose", _spoofed),
    "bad-token": ("A missing, a bad and an expired token are refused", _bad_tokens),
    "unknown-tenant": ("An unknown tenant is refused", _unknown_tenant),
    "move": ("A tenant moves, by plain SQL, and every Envoy follows", _moves),
    "bound-elsewhere": ("A token bound to the old cell is refused in the new one", _bound_elsewhere),
}
"""The steps in order: by id, the claim and what checks it."""
