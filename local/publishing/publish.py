"""Publish: a model folder becomes a Kaggle Model, with an instance for each framework. Twice the same is there once.

    changes, steps = dry_run(service, plan, public=False)     what would be done; nothing is written anywhere
    for step in publish(service, plan, public=False):         does it, and gives each instance as it is then

Whether a version is ours is proven by its manifest, which is read back, and by the names and sizes of its files. What
was begun is written to `.k2l/publishing` before it is sent, so that the same command resumes it: uploads behind the
bytes that arrived, and no version is made twice while the service does not show the first yet.

kagglehub 1.0's `model_upload` was tried in its place: it makes a new version each time, sends all bytes again after a
kill or an HTTP 503, prints signed URLs, and has no time-outs of the API, dry run, model card or check of hashes.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from local.core.events import FileArrived, Message
from local.kaggle_api.client import Service
from local.kaggle_api.errors import ConflictError, PushLostError
from local.kaggle_api.models_api import VARIATION, InstanceInfo, ModelInfo, ModelsApi
from local.publishing.upload import GoneError, send
from local.publishing.upload_plan import DEFAULT_LICENSE, PlannedFile, PlannedInstance, UploadPlan
from local.publishing.upload_record import UploadRecord
from shared.core import manifest
from shared.core.errors import CredentialsError, ModelError, RefusedError
from shared.core.events import Report, silent

logger = logging.getLogger(__name__)

SETTLE = 8.0  # seconds in which something whose answer was lost may still appear
RESTARTS = 3  # times that an upload of a file may expire

NEW, NEXT, SAME, UNSEEN, UNKNOWN = "new", "new version", "there already", "not ready there yet", "unknown"


@dataclass(frozen=True, kw_only=True)
class Step:
    """An instance and what is done about it: `version` is the one that is made, or is there; 0 where it is unknown."""

    handle: str
    framework: str
    state: str
    version: int
    files: tuple[str, ...]
    bytes: int
    license: str
    private: bool
    url: str = ""

    @property
    def bytes_to_send(self) -> int:
        """Nothing is sent of what is there already."""
        return 0 if self.state in (SAME, UNSEEN) else self.bytes


def dry_run(service: Service | None, plan: UploadPlan, *, public: bool) -> tuple[list[str], list[Step]]:
    """What `publish` would do: to the model itself, and about each instance. Without a service that is unknown.

    Raises RefusedError for what the publishing would be refused for here.
    """
    if service is None:
        return [], [_unknown(plan, one, public=public) for one in plan.instances]
    publishing = _Publishing(service, plan, public=public)
    there = publishing.model()
    words = [f"change of the model: {name}" for name in publishing.changes(there)] if there else ["create the model"]
    return words, [publishing.step(one) for one in plan.instances]


def publish(
    service: Service,
    plan: UploadPlan,
    *,
    public: bool,
    again: bool = False,
    report: Report = silent,
) -> Iterator[Step]:
    """Publishes what is not there yet, one instance after the other.

    The caller holds `journal.lock` of the folder. `again`: a version whose answer was lost, and that is not visible, is
    sent once more. Reports FileArrived, and the Progress of each file.
    Raises RefusedError where the service says no, PushLostError where nobody can tell whether something was made (the
    same command finds out), ServiceError where it cannot be reached, ModelError where the folder is not as planned.
    """
    if manifest.sha256(plan.manifest.path) != plan.manifest.sha256:  # before it was locked
        raise ModelError(f"{plan.folder} was changed while it was looked at. Nothing was published; try again.")
    publishing = _Publishing(service, plan, public=public, report=report)
    publishing.ensure_model()
    for instance in plan.instances:
        step = publishing.step(instance)
        if publishing.is_due(instance, step, again=again):
            step = publishing.make(instance, step)
        elif step.state == SAME:
            publishing.record.forget_sent(instance)
        yield step
    publishing.record.clear()


def _unknown(plan: UploadPlan, instance: PlannedInstance, *, public: bool) -> Step:
    """What is known of an instance before its service is asked."""
    return Step(
        handle=f"OWNER/{plan.slug}/{instance.framework}/{VARIATION}",
        framework=instance.framework,
        state=UNKNOWN,
        version=0,
        files=tuple(file.name for file in instance.files),
        bytes=instance.bytes,
        license=plan.license or DEFAULT_LICENSE,
        private=not public,
    )


class _Publishing:
    """One plan at one service: what is there, what is to do, what was begun."""

    def __init__(self, service: Service, plan: UploadPlan, *, public: bool, report: Report = silent) -> None:
        self.service, self.api, self.plan, self.public, self.report = service, ModelsApi(service), plan, public, report
        self.handle = self.api.handle(plan.slug)
        self.record = UploadRecord(f"{service.label}-{self.handle}", plan.manifest.sha256)

    def model(self) -> ModelInfo | None:
        """The model that is there. RefusedError where everybody would see a version that is published by accident."""
        there = self.api.model(self.plan.slug)
        if there and not there.private and not self.public:
            raise RefusedError(
                f"{self.handle} is public there, and so would be what is published now: say so with --public, or name "
                "another --slug. Nothing was published."
            )
        return there

    def changes(self, there: ModelInfo) -> dict[str, Any]:
        """What the model needs to say as the plan does: the card, and --public. Its title is left as it is."""
        same_card = there.description.strip() == self.plan.description.strip()
        changes: dict[str, Any] = {} if same_card else {"description": self.plan.description}
        return changes | ({"is_private": False} if self.public and there.private else {})

    def ensure_model(self) -> None:
        """Makes the model, or changes what it says."""
        there = self.model()
        if there is None:
            self._make_model()
        elif changes := self.changes(there):
            self.api.update_model(self.plan.slug, **changes)
            self.report(Message(f"changed of the model {self.handle}: {', '.join(changes)}"))

    def step(self, instance: PlannedInstance) -> Step:
        """What is there of an instance, and so what is to do."""
        there = self.api.instance(self.plan.slug, instance.framework)
        state, version = self._state(instance, there)
        step = replace(
            _unknown(self.plan, instance, public=self.public),
            handle=self.api.handle(self.plan.slug, instance.framework),
            state=state,
            version=version,
        )
        logger.info("%s: %s, version %d", step.handle, state, version)
        if there is None:
            return step
        if self.plan.license and there.license not in ("", self.plan.license):
            raise RefusedError(
                f"{step.handle} is under {there.license!r} there: leave --license out, or change it on its page first. "
                "Nothing of it was published."
            )
        return replace(step, license=there.license or step.license, url=there.url)

    def is_due(self, instance: PlannedInstance, step: Step, *, again: bool) -> bool:
        """Whether to send it. PushLostError where its answer was lost, and sending it could make one version more."""
        if step.state != UNSEEN:
            return step.state != SAME
        lost = bool((self.record.sent(instance) or {}).get("lost"))
        if lost and step.version > 1 and not again:
            raise PushLostError(
                f"{step.handle}: the answer to this very version was lost, and it is not seen there yet.\n"
                "Try the same command in a quarter of an hour, or send it once more with --again."
            )
        return lost  # an instance is not made twice: the service says that it is there

    def make(self, instance: PlannedInstance, step: Step) -> Step:
        """Uploads the files and makes a version of them; where its answer is lost, looks whether it appears."""
        tokens = [self._uploaded(instance, file) for file in instance.files]
        sent_before = self.record.sent(instance) is not None
        self.record.note_sent(instance, step.version - 1, lost=True)
        try:
            if step.version == 1 and not self._make_first(instance, step, tokens) and not sent_before:
                step = replace(step, version=2)  # behind a first one that is not shown yet
                self.record.note_sent(instance, 1, lost=True)
            if step.version > 1:
                self.api.create_version(self.plan.slug, instance.framework, tokens, self.plan.notes)
        except PushLostError as lost:
            if not _appears(lambda: self._is_seen(instance)):
                raise PushLostError(f"{lost}\nIt is not seen there; the same command looks again.") from None
        except (RefusedError, CredentialsError):
            self.record.forget_sent(instance)
            self.record.forget_sessions(instance)
            raise
        self.record.note_sent(instance, step.version - 1, lost=False)
        self.record.forget_sessions(instance)
        return replace(step, state="published")

    def _make_first(self, instance: PlannedInstance, step: Step, tokens: list[str]) -> bool:
        """Makes the instance, with its first version; False where there is one, shown or not."""
        plan = self.plan
        try:
            self.api.create_instance(
                plan.slug, instance.framework, tokens, license=step.license, overview=plan.overview,
                usage=instance.usage, training_data=plan.training_data,
            )  # fmt: skip
        except ConflictError:
            logger.info("%s is there, though it is not shown yet", step.handle)
            return False
        return True

    def _make_model(self) -> None:
        plan = self.plan
        try:
            self.api.create_model(plan.slug, title=plan.title, description=plan.description, private=not self.public)
        except ConflictError:
            return logger.info("%s is there, though it is not shown yet", self.handle)
        except PushLostError as lost:
            if not _appears(lambda: self.api.model(plan.slug) is not None):
                raise PushLostError(f"{lost}\nIt is not seen there; run the same command again to retry.") from None
        return self.report(Message(f"created the model {self.handle} ({'public' if self.public else 'private'})"))

    def _state(self, instance: PlannedInstance, there: InstanceInfo | None) -> tuple[str, int]:
        """The state of an instance, and the version that this is about."""
        sent = self.record.sent(instance)
        seen, ours = (there.version, self._is_ours(instance, there)) if there else (0, False)
        if ours:
            return SAME, seen
        # A version's number may be shown before its files can be read.
        if sent and (seen <= sent["before"] or (ours is None and seen == sent["before"] + 1)):
            return UNSEEN, sent["before"] + 1
        return (NEXT, seen + 1) if there else (NEW, 1)

    def _is_ours(self, instance: PlannedInstance, there: InstanceInfo) -> bool | None:
        """Whether the latest version is this very instance: its manifest is, and each file is there in its size.

        Where the service lists no files at all, or no size, the manifest alone decides; None where it has no manifest.
        """
        at = (self.plan.slug, instance.framework, there.version)
        stored = self.api.file(*at, manifest.NAME)
        if stored != self.plan.manifest.path.read_bytes():
            return False if stored else None
        listed = self.api.files(*at)
        return not listed or all(listed.get(file.name, -1) in (file.bytes, 0) for file in instance.files)

    def _is_seen(self, instance: PlannedInstance) -> bool:
        there = self.api.instance(self.plan.slug, instance.framework)
        return there is not None and bool(self._is_ours(instance, there))

    def _uploaded(self, instance: PlannedInstance, file: PlannedFile) -> str:
        """The token of a file that arrived whole, resumed where its upload was begun; what has expired is restarted."""
        expired = 0
        while True:
            session = self.record.session(instance, file)
            fresh = session is None
            if session is None:
                session = self.api.start_upload(file.name, file.bytes, int(file.path.stat().st_mtime))
                self.record.note_session(instance, file, session)
            try:
                send(self.service, session, file.path, file.bytes, fresh=fresh, report=self.report)
                self.report(FileArrived(f"{instance.framework}/{file.name}", file.bytes))
                return session.token
            except GoneError as gone:
                self.record.note_session(instance, file, None)
                expired += 1
                if expired == RESTARTS:
                    raise
                logger.info("%s is sent from its beginning: %s", file.name, gone)


def _appears(look: Callable[[], bool]) -> bool:
    """Looks for something whose answer was lost, for a few seconds."""
    until = time.monotonic() + SETTLE
    while not (found := look()) and time.monotonic() < until:
        time.sleep(1)
    return found
