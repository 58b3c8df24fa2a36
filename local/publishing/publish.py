"""Publish: a model folder becomes a Kaggle Model, an instance of it for each framework. The same twice is once.

    todo, steps = plan(service, parcel, public=False)         what would be done; nothing is written anywhere
    for step in publish(service, parcel, public=False):       does it, and gives each instance as it then stands

Whether a version is ours is proven by its manifest, which is read back, and by the names and sizes of its files. What
was begun is written down in `.k2l/publishing` before it leaves, so that the same command goes on: uploads behind the
bytes that came, and nothing is made twice while the service does not show it yet.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from local.kaggle_api.client import Service
from local.kaggle_api.errors import ConflictError, PushLostError
from local.kaggle_api.models_api import VARIATION, ModelsApi, PublishedInstance, PublishedModel
from local.publishing.upload import GoneError, send
from local.publishing.upload_plan import USUAL_LICENSE, Item, Parcel, Shipment
from local.publishing.upload_record import Ledger
from shared.core import manifest
from shared.core.errors import CredentialsError, ModelError, RefusedError

logger = logging.getLogger(__name__)

SETTLE = 8.0  # seconds in which something whose answer was lost may still appear
ANEW = 3  # times that a file is sent from its beginning

NEW, NEXT, SAME, UNSEEN, UNKNOWN = "new", "new version", "there already", "not ready there yet", "unknown"


@dataclass(frozen=True, kw_only=True)
class Step:
    """An instance and what becomes of it: `version` is the one that is made, or is there; 0 where that is not told."""

    handle: str
    framework: str
    state: str
    version: int
    files: tuple[str, ...]
    bytes: int
    license: str
    private: bool
    url: str = ""


def plan(service: Service | None, parcel: Parcel, *, public: bool) -> tuple[list[str], list[Step]]:
    """What `publish` would do: to the model itself, and of each instance. Without a service that is unknown.

    Raises RefusedError for what the publishing would be refused for here.
    """
    if service is None:
        license = parcel.license or USUAL_LICENSE
        return [], [_step(parcel, one, "", UNKNOWN, 0, license, private=not public) for one in parcel.shipments]
    shelf = ModelsApi(service)
    there = shelf.model(parcel.slug)
    _check_public(shelf, parcel, there, public=public)
    changes = _changes(there, parcel, public=public) if there else {}
    words = [f"change of the model: {name}" for name in changes] if there else ["create the model"]
    ledger = _ledger(shelf, parcel)
    return words, [_stand(shelf, parcel, one, ledger, public=public) for one in parcel.shipments]


def publish(
    service: Service,
    parcel: Parcel,
    *,
    public: bool,
    again: bool = False,
    on_step: Callable[[str], None] = lambda what: None,
    on_share: Callable[[float], None] = lambda share: None,
) -> Iterator[Step]:
    """Publishes what is not there yet, an instance after the other.

    The caller holds `runs.lock` of the folder. `again`: a version whose answer was lost, and that is not seen, is sent
    once more. `on_step` is told of each thing that is done, `on_share` how much of a file is there, 0 to 1.
    Raises RefusedError where the service says no, PushLostError where nobody can tell whether something was made (the
    same command finds out), ServiceError where it cannot be reached, ModelError where the folder is not as packed.
    """
    if manifest.sha256(parcel.manifest.path) != parcel.manifest.sha256:  # before it was locked
        raise ModelError(f"{parcel.folder} was changed while it was looked at. Nothing was published; try again.")
    shelf = ModelsApi(service)
    _ensure_model(shelf, parcel, public=public, on_step=on_step)
    ledger = _ledger(shelf, parcel)
    for shipment in parcel.shipments:
        step = _stand(shelf, parcel, shipment, ledger, public=public)
        if _is_due(ledger, shipment, step, again=again):
            tokens = _uploaded(shelf, ledger, shipment, on_step, on_share)
            step = _made(shelf, parcel, shipment, ledger, step, tokens)
        elif step.state == SAME:
            ledger.forget_sent(shipment)
        yield step
    ledger.clear()


def _ledger(shelf: ModelsApi, parcel: Parcel) -> Ledger:
    return Ledger(f"{shelf.service.label}-{shelf.ref(parcel.slug)}", parcel.manifest.sha256)


def _check_public(shelf: ModelsApi, parcel: Parcel, there: PublishedModel | None, *, public: bool) -> None:
    """A model that everybody sees gets no version by accident."""
    if there and not there.private and not public:
        raise RefusedError(
            f"{shelf.ref(parcel.slug)} is public there, and so would be what is published now: say so with --public, "
            "or name another --slug. Nothing was published."
        )


def _ensure_model(shelf: ModelsApi, parcel: Parcel, *, public: bool, on_step: Callable[[str], None]) -> None:
    """The model is there, and says what the parcel says. Its title is left as it is."""
    there, ref = shelf.model(parcel.slug), shelf.ref(parcel.slug)
    _check_public(shelf, parcel, there, public=public)
    if there is None:
        try:
            shelf.create_model(parcel.slug, title=parcel.title, description=parcel.description, private=not public)
            on_step(f"created the model {ref} ({'public' if public else 'private'})")
        except ConflictError:
            logger.info("%s is there, though it is not shown yet", ref)
        except PushLostError as lost:
            if _appears(lambda: shelf.model(parcel.slug) is not None):
                return on_step(f"created the model {ref}")
            raise PushLostError(
                f"{lost}\nIt did not arrive, as far as can be seen; the same command goes on."
            ) from None
        return None
    if changes := _changes(there, parcel, public=public):
        shelf.update_model(parcel.slug, **changes)
        on_step(f"changed of the model {ref}: {', '.join(changes)}")
    return None


def _changes(there: PublishedModel, parcel: Parcel, *, public: bool) -> dict[str, Any]:
    """What the model says otherwise than the parcel: its card, and that everybody sees it. Its title is left alone."""
    card = {"description": parcel.description} if there.description.strip() != parcel.description.strip() else {}
    return {**card, **({"is_private": False} if public and there.private else {})}


def _is_due(ledger: Ledger, shipment: Shipment, step: Step, *, again: bool) -> bool:
    """Whether it is to be sent. PushLostError where it was, its answer was lost, and a second one would be one more."""
    if step.state != UNSEEN:
        return step.state != SAME
    lost = bool((ledger.sent(shipment) or {}).get("lost"))
    if lost and step.version > 1 and not again:
        raise PushLostError(
            f"{step.handle}: the answer to this very version was lost, and it is not seen there yet.\n"
            "Try the same command in a quarter of an hour, or send it once more with --again."
        )
    return lost  # an instance is not made twice: the service says that it is there


def _stand(shelf: ModelsApi, parcel: Parcel, shipment: Shipment, ledger: Ledger, *, public: bool) -> Step:
    """What there is of a shipment, and so what is to be done."""
    there, sent = shelf.instance(parcel.slug, shipment.framework), ledger.sent(shipment)
    license = there.license if there and there.license else parcel.license or USUAL_LICENSE
    if there and parcel.license and there.license not in ("", parcel.license):
        raise RefusedError(
            f"{shelf.ref(parcel.slug, shipment.framework)} is under {there.license!r} there: leave --license out, or "
            "change it on its page first. Nothing of it was published."
        )
    seen, ours = (there.version, _ours(shelf, parcel, shipment, there)) if there else (0, False)
    if there and ours:
        state, version = SAME, seen
    # A version's number may be told before its files can be read.
    elif sent and (seen <= sent["before"] or (ours is None and seen == sent["before"] + 1)):
        state, version = UNSEEN, sent["before"] + 1
    else:
        state, version = (NEXT, seen + 1) if there else (NEW, 1)
    url = there.url if there else ""
    step = _step(parcel, shipment, shelf.service.username, state, version, license, private=not public)
    logger.info("%s: %s, version %d", step.handle, state, version)
    return replace(step, url=url)


def _step(
    parcel: Parcel, shipment: Shipment, owner: str, state: str, version: int, license: str, *, private: bool
) -> Step:
    return Step(
        handle=f"{owner or 'OWNER'}/{parcel.slug}/{shipment.framework}/{VARIATION}",
        framework=shipment.framework,
        state=state,
        version=version,
        files=tuple(item.name for item in shipment.items),
        bytes=shipment.bytes,
        license=license,
        private=private,
    )


def _ours(shelf: ModelsApi, parcel: Parcel, shipment: Shipment, there: PublishedInstance) -> bool | None:
    """Whether the latest version is this very shipment: its manifest is, and no file is missing or of another size.

    Where the service lists no files at all, or no size, the manifest alone decides; None where it has no manifest.
    """
    stored = shelf.file(parcel.slug, shipment.framework, there.version, manifest.NAME)
    if stored != parcel.manifest.path.read_bytes():
        return False if stored else None
    listed = shelf.files(parcel.slug, shipment.framework, there.version)
    return not listed or all(listed.get(item.name, -1) in (item.bytes, 0) for item in shipment.items)


def _appears(look: Callable[[], bool]) -> bool:
    """Looks for something whose answer was lost, for a few seconds."""
    until = time.monotonic() + SETTLE
    while not (found := look()) and time.monotonic() < until:
        time.sleep(1)
    return found


def _uploaded(
    shelf: ModelsApi,
    ledger: Ledger,
    shipment: Shipment,
    on_step: Callable[[str], None],
    on_share: Callable[[float], None],
) -> list[str]:
    """The tokens of a shipment's files, each of them whole there."""
    tokens = []
    for item in shipment.items:
        tokens.append(_upload(shelf, ledger, shipment, item, on_share))
        on_step(f"  {item.bytes:>12,} bytes   {shipment.framework}/{item.name}")
    return tokens


def _upload(shelf: ModelsApi, ledger: Ledger, shipment: Shipment, item: Item, on_share: Callable[[float], None]) -> str:
    """One file, taken up where it was begun; what has expired begins anew."""
    expired = 0
    while True:
        place = ledger.place(shipment, item)
        fresh = place is None
        if place is None:
            place = shelf.start_upload(item.name, item.bytes, int(item.path.stat().st_mtime))
            ledger.note_place(shipment, item, place)
        try:
            send(shelf.service, place, item.path, item.bytes, fresh=fresh, on_bytes=lambda n: on_share(n / item.bytes))
            return place.token
        except GoneError as gone:
            ledger.note_place(shipment, item, None)
            expired += 1
            if expired == ANEW:
                raise
            logger.info("%s begins anew: %s", item.name, gone)


def _made(shelf: ModelsApi, parcel: Parcel, shipment: Shipment, ledger: Ledger, step: Step, tokens: list[str]) -> Step:
    """The version, made of what was uploaded; where its answer was lost, it is looked for."""
    retried = ledger.sent(shipment) is not None
    ledger.note_sent(shipment, step.version - 1, lost=True)
    try:
        if step.version > 1 or not (_first(shelf, parcel, shipment, step, tokens) or retried):
            step = replace(step, version=max(step.version, 2))  # behind one, shown or not
            ledger.note_sent(shipment, step.version - 1, lost=True)
            shelf.create_version(parcel.slug, shipment.framework, tokens, parcel.notes)
    except PushLostError as lost:
        if not _appears(lambda: _seen(shelf, parcel, shipment)):
            raise PushLostError(f"{lost}\nIt is not seen there; the same command looks again, and goes on.") from None
    except (RefusedError, CredentialsError):
        ledger.forget_sent(shipment)
        ledger.forget_uploads(shipment)
        raise
    ledger.note_sent(shipment, step.version - 1, lost=False)
    ledger.forget_uploads(shipment)
    return replace(step, state="published")


def _seen(shelf: ModelsApi, parcel: Parcel, shipment: Shipment) -> bool:
    there = shelf.instance(parcel.slug, shipment.framework)
    return there is not None and bool(_ours(shelf, parcel, shipment, there))


def _first(shelf: ModelsApi, parcel: Parcel, shipment: Shipment, step: Step, tokens: list[str]) -> bool:
    """Makes the instance, with its first version; False where one is there, seen or not."""
    try:
        shelf.create_instance(
            parcel.slug,
            shipment.framework,
            tokens,
            license=step.license,
            overview=parcel.overview,
            usage=shipment.usage,
            training_data=parcel.training_data,
        )
    except ConflictError:
        logger.info("%s is there, though it is not shown yet", step.handle)
        return False
    return True
