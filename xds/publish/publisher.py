"""Wake, read the registry, translate, decide, record, serve; for as long as the process runs.

One process at a time records; all of them serve what is recorded. A registry that cannot be read, or a snapshot that
does not hold together, changes nothing: what is served stays served, and so are keys that can't be had.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import asdict, replace

from xds.errors import Conflict, InconsistentSnapshot, KeysError, RegistryError, RequestError
from xds.model import CellState
from xds.names import CellId
from xds.publish.deciding import Draft, counts_of, decide, draft_of, in_force, redraft
from xds.publish.evacuation import Evacuation, Led
from xds.publish.feed import Feed
from xds.publish.history import Candidate, Entry, Lead, Recorded
from xds.publish.lanes import with_lanes
from xds.publish.measuring import measure
from xds.publish.pacer import Pacer
from xds.publish.pinning import Pinning
from xds.publish.policy import Mode, Policy
from xds.publish.recording import Recording
from xds.publish.rolling import Rolling
from xds.publish.serving import Serving
from xds.publish.source import Keys, NoKeys, Registry
from xds.publish.structures import Structures
from xds.snapshot import Content
from xds.telemetry import Metrics, get_logger
from xds.telemetry.status import PublishStatus
from xds.translate import EdgeOptions, Translation

_RETRY_SECONDS = 1.0
_LOOK_SECONDS = 1.0


class Publisher:
    """Turns the registry into snapshots, records them if it may, and serves what is recorded."""

    def __init__(
        self,
        registry: Registry,
        options: EdgeOptions,
        feed: Feed,
        metrics: Metrics,
        *,
        interval: float,
        keys: Keys | None = None,
        recording: Recording | None = None,
    ) -> None:
        recording = recording or Recording()
        self._registry = registry
        self._keys = keys or NoKeys()
        self._history = recording.history
        self._guard = recording.guard
        self._emergency = recording.emergency
        self._settle = recording.settle
        self._replica = recording.replica
        self._metrics = metrics
        self._structures = Structures(registry, self._keys, options)
        self._rolling = Rolling(recording.history, recording.plan, recording.replica)
        self._leading_since = 0.0
        self._serving = Serving(feed, recording.shelf)
        self._pinning = Pinning(recording.history)
        self._pacer = Pacer(interval)
        self._woken = asyncio.Event()
        self._is_registry_news = True
        self._is_history_news = True
        self._behind: Content | None = None
        self._doubt = ""
        self._published: Translation | None = None
        self._policy = Policy()
        self._lead: Lead | None = None
        self._seen: Draft | None = None
        self._noted: tuple[str, str] | None = ("?", "")
        self._acted_at = 0.0
        self._log = get_logger()
        self.status = PublishStatus()
        """What is published now."""

    @property
    def cells(self) -> tuple[tuple[CellId, CellState], ...]:
        """Every cell of the topology in force, and its state, sorted by id."""
        if self.published is None:
            return ()
        return tuple(sorted((cell.id, cell.state) for cell in self.published.topology.cells.values()))

    @property
    def published(self) -> Translation | None:
        """What is published now, or would be if nothing were held; None until there is something."""
        if self._published is None and self._serving.recorded is not None:
            return self._structures.desired.translation
        return self._published

    async def run(self) -> None:
        """Publish until cancelled."""
        await self._serving.start()
        self._emergency.load()
        await self._serve_ahead()
        self._note()
        self._woken.set()  # nobody may call: a registry that is down from the start is to be known as such
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._registry.watch(self._registry_news))
            tasks.create_task(self._keys.watch(self._registry_news))
            tasks.create_task(self._history.watch(self._history_news))
            tasks.create_task(self._campaign())
            tasks.create_task(self._serving.keep())
            tasks.create_task(self._look_around())
            tasks.create_task(self._rolling.run())
            while True:
                await self._waking()
                if self._is_registry_news:
                    await asyncio.sleep(self._pacer.delay(time.monotonic()))
                    self._pacer.started(time.monotonic())
                self._woken.clear()
                await self._turn()

    def _registry_news(self) -> None:
        self._is_registry_news = True
        self._woken.set()

    def _history_news(self) -> None:
        self._is_history_news = True
        self._woken.set()

    async def _waking(self) -> None:
        """Wait until something may have been committed or decided, or a grace ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._structures.desired.seconds_left()):
                await self._woken.wait()
                return
        self._is_registry_news = True

    async def _campaign(self) -> None:
        """Be the one that records, whenever nobody else is."""
        while True:
            try:
                async with self._history.lead() as lead:
                    self._lead, self._noted, self._acted_at = lead, ("?", ""), 0.0
                    self._leading_since = time.monotonic()
                    self._log.info("publisher.leads", replica=self._replica)
                    self._registry_news()
                    self._history_news()
                    await lead.lost()
                    self._log.warning("publisher.lead_lost", replica=self._replica)
                    self._history_news()  # who leads now has it
            except RegistryError as error:
                self._log.debug("publisher.no_lead", error=str(error))
            finally:
                self._lead = None
                self.status = replace(self.status, held="")  # who leads now says what is
            await asyncio.sleep(_RETRY_SECONDS)

    async def _look_around(self) -> None:
        """Lead the rollouts, as long as it is this process that publishes."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            lead, recorded = self._lead, self._serving.recorded
            if lead is None or recorded is None:
                self._rolling.rest()
                continue
            try:
                groups = set(recorded.content.groups) - recorded.content.apart
                if await self._rolling.look(lead, self._policy.stop, groups) or await self._propose(lead, recorded):
                    self._history_news()
                    self._registry_news()
            except (Conflict, RegistryError) as error:
                self._log.warning("rollout.not_led", error=str(error))

    async def _propose(self, lead: Lead, recorded: Recorded) -> bool:
        """Have this process' settings rolled out, if they are not what is in force, and nothing is in the way."""
        structure = self._structures.own
        is_in_the_way = bool(self._policy.stop or self._rolling.running)
        if is_in_the_way or structure == in_force(recorded, self._rolling.rollout):
            return False
        leading_for, starts = time.monotonic() - self._leading_since, self._policy.mode is not Mode.MANUAL
        content = self._structures.own_content
        return await self._rolling.propose(lead, structure, leading_for, content, starts=starts)

    async def evacuate(self, order: Evacuation, *, limit: int | None = None, is_rehearsal: bool = False) -> Led:
        """Lead whoever lives in one cell elsewhere, while the registry can't be asked; in this process alone.

        Raises `Conflict` as long as the registry answers, and `RequestError` for what makes no sense.
        """
        recorded, known = self._serving.recorded, self.published
        if recorded is None:
            raise Conflict("nothing is served yet: there is nobody to move")
        if not (self.status.error or is_rehearsal):
            raise Conflict("the registry answers: 'cells evacuate' moves them there, and everywhere")
        served, topology = self._emergency.applied(recorded.content), known.topology if known is not None else None
        led = self._emergency.evacuate(served, order, topology, limit=limit, is_rehearsal=is_rehearsal)
        if not is_rehearsal:
            self._log.warning("emergency.evacuated", **asdict(order), led=dict(led.to), left=led.left)
            await self._serve_ahead()
            self._note()
        return led

    async def _settle_emergency(self) -> None:
        """Have the registry know what was moved while it was down, before it is believed again."""
        told = self._emergency.unsettled
        if told and self._settle is not None:
            try:
                settled = await self._settle(told)
            except RequestError as error:  # they stay, and somebody must look
                raise RegistryError(f"what was moved while it was down can't be recorded: {error}") from error
            self._emergency.settled(told)
            self._is_registry_news = True
            self._log.warning("emergency.recorded", tenants=len(settled.moved), skipped=settled.skipped)

    # One turn

    async def _turn(self) -> None:
        try:
            with self._metrics.publish_seconds.time():
                if any([each.advance_alone() for each in self._structures.followed]) and self._lead is not None:  # noqa: C419 -- all of them
                    await self._serve_ahead()  # what needs no database does not wait for one
                    await self._publish()
                await self._settle_emergency()
                await self._follow()
                if self._is_registry_news:
                    self._is_registry_news = False
                    for each in self._structures.followed:
                        await each.advance()
                await self._publish()
            self.status = replace(self.status, error="")
        except Conflict as error:
            self._log.warning("publish.overtaken", error=str(error))
            self._registry_news()
            self._history_news()
        except (KeysError, RegistryError, InconsistentSnapshot) as error:
            self._is_registry_news = self._is_history_news = True
            if str(error) != self.status.error:
                self._log.error("publish.failed", error=str(error), revision=self.status.revision)
            self.status = replace(self.status, error=str(error))
            await self._serve_ahead()
            self._note()

    async def _follow(self) -> None:
        """Take up what others recorded and decided."""
        if not self._is_history_news:
            return
        self._is_history_news = False
        self._policy = await self._history.policy()
        await self._rolling.follow()
        base = self._serving.recorded
        newest = await self._history.newest() if base is None else await self._history.follow(base)
        self._behind = None
        if base is not None and (newest is None or newest.entry.number < base.entry.number):
            self._note_restored(newest, base)
        elif newest is not None and newest is not base:
            await self._serving.serve(newest)
            self._log.info("snapshot.followed", snapshot=newest.entry.number, revision=newest.entry.revision)
        if self._structures.aim(self._serving.recorded, self._rolling.rollout):
            self._is_registry_news = True
        await self._serving.steer(self._rolling.rollout)
        self._note()

    def _note_restored(self, newest: Recorded | None, base: Recorded) -> None:
        """Go on with what is served: this database is new, or was restored from before it."""
        self._behind = newest.content if newest is not None else Content(tables={})
        if newest is None:
            return
        doubt = f"the database's newest snapshot is {newest.entry.number}, and {base.entry.number} is served: restored?"
        if doubt != self._doubt:
            self._log.error("registry.restored", snapshot=base.entry.number, newest=newest.entry.number)
        self._doubt = doubt

    async def _publish(self) -> None:
        """Record what may be published, if it is this process that may."""
        lead, wanted, base = self._lead, self._structures.desired.translation, self._serving.recorded
        if lead is None or wanted is None:
            self._note()
            return
        draft = self._draft(wanted, base)
        if draft is None:
            return
        if base is None:
            await self._record(lead, draft)
            return
        if self._behind is not None:  # what comes of a new or restored database is judged by what is served
            await lead.record(base.entry, base.content, base.content.changed_since(self._behind), again=True)
            self._behind = None
        current = await self._pinning.current(base, self._policy, self._structures)
        decision = decide(draft, base, current, self._policy, self._guard, seen=self._seen, doubt=self._doubt)
        if decision.held is None:
            self._doubt = ""  # an operator's word, or nothing to doubt
        if decision.draft.content.changed_since(base.content):
            await self._record(lead, decision.draft)
        elif self._serving.is_ahead:
            await self._serving.serve(base)
        await self._hold(lead, draft, decision.held)
        if self._acted_at != self._policy.at:
            await lead.note_policy(self._policy)
            self._acted_at = self._policy.at
            self._policy = replace(self._policy, approved="")
        self._note()

    def _draft(self, wanted: Translation, base: Recorded | None) -> Draft | None:
        """What is asked for, with the lane of what is rolled out; None until that is translated too."""
        draft = draft_of(wanted, base)
        if self._structures.next is None:
            return draft
        after = self._structures.next.translation
        return replace(draft, content=with_lanes(draft.content, after.content)) if after is not None else None

    async def _record(self, lead: Lead, draft: Draft) -> None:
        base = self._serving.recorded
        before = base.content if base is not None else Content(tables={})
        self._serving.check(draft)
        change = draft.content.changed_since(before)
        entry = Entry(
            number=base.entry.number + 1 if base is not None else 1,
            revision=draft.revision,
            digest=draft.content.digest,
            at=time.time(),
            by=draft.by or self._replica,
            kind=draft.kind,
            message=draft.message,
            counts=draft.counts,
            upserts=len(change.upserts),
            removed=len(change.removed),
            structure=draft.structure,
        )
        await lead.record(entry, draft.content, change)
        self._behind, self._noted = None, None
        await self._serving.serve(Recorded(entry=entry, content=draft.content))
        self._note()
        self._metrics.publishes.inc()
        self._metrics.publish_changes.observe(len(change))
        self._log.info(
            "snapshot.published",
            snapshot=entry.number,
            revision=entry.revision,
            kind=entry.kind.value,
            resources_changed=len(change),
        )

    async def _hold(self, lead: Lead, draft: Draft, held: Candidate | None) -> None:
        """Tell operators what is held, if that is news."""
        self._seen = draft if held is not None else None
        noted = (held.digest, held.reason) if held is not None else None
        if noted != self._noted:
            await lead.note_candidate(held)
            self._noted = noted
            if held is not None:
                size = len(held.change)
                self._log.warning("publish.held", reason=held.reason, revision=held.revision, resources=size)
        # Only now: who reads that something is held can look at it.
        self.status = replace(self.status, held=held.reason if held is not None else "")

    async def _serve_ahead(self) -> None:
        """Serve what can't be recorded now, or not yet: keys, ended graces, what was read and not held."""
        wanted, base = self._structures.desired.translation, self._serving.recorded
        if base is None:
            return
        current = redraft(base.entry, self._structures.live(base))
        draft = self._draft(wanted, base) if wanted is not None else None
        if draft is not None:  # judged here too: only who leads has done so
            current = decide(draft, base, current, self._policy, self._guard, doubt=self._doubt).draft
        await self._serving.serve_ahead(self._emergency.applied(current.content))

    def _note(self) -> None:
        """Have status and metrics say what is in force."""
        recorded, wanted = self._serving.recorded, self._structures.desired.translation
        if recorded is None:
            return
        entry, problems = recorded.entry, wanted.problems if wanted is not None else ()
        revision, counts = entry.revision, entry.counts
        draft = self._draft(wanted, recorded) if wanted is not None else None
        if wanted is not None and draft is not None and draft.content.digest == self._serving.content.digest:
            self._published = wanted
        if wanted is not None and draft is not None and draft.content.digest == entry.digest:
            # What has changed since may be nothing to an Envoy: a cell that is being drained, a label.
            revision, counts = wanted.topology.revision, counts_of(wanted.topology)
        known = self.status
        self.status = replace(
            known,
            revision=revision,
            snapshot=entry.number,
            published_at=known.published_at if known.snapshot == entry.number else entry.at,
            cells={state.value: counts.get(state.value, 0) for state in CellState},
            tenants=counts.get("tenants", 0),
            resources=self._serving.counts(),
            problems=tuple(str(problem) for problem in problems),
            mode=self._policy.label,
            leads=self._lead is not None,
            is_ahead=self._serving.is_ahead,
        )
        measure(self._metrics, self.status, self._rolling.rollout)
        if self.status.problems != known.problems:
            for problem in problems:
                self._log.error("translation.left_out", kind=problem.kind, id=problem.id, problem=problem.text)
