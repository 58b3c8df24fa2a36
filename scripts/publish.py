"""`k2l publish`: a model folder becomes a Kaggle Model; nothing is published twice."""

from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from local.jobs.remotes import REMOTES
from scripts.steps import options
from scripts.terminal.edge import Ended, run
from scripts.terminal.output import Json, bar, emit, say, show
from scripts.terminal.tables import table_of
from scripts.terminal.verbs import again
from shared.core.events import Progress

if TYPE_CHECKING:
    from local.publishing.publish import Step
    from local.publishing.upload_plan import Parcel


def publish(
    model: options.ModelFolder,
    remote: options.Remote = "kaggle",
    public: Annotated[bool, typer.Option("--public", help="Let everybody see it. [default: private]")] = False,
    slug: Annotated[str, typer.Option(help="Its name in the URL. [default: k2l-MODEL]")] = "",
    title: Annotated[str, typer.Option(help="Its title, where it is new. [default: k2l MODEL]")] = "",
    license: Annotated[str, typer.Option(help="As Kaggle spells it, e.g. 'Apache 2.0'. [default: MIT]")] = "",
    notes: Annotated[str, typer.Option(help="What is new in this version.")] = "",
    resend: Annotated[
        bool, typer.Option("--again", help="Send once more a version whose answer was lost and that is not seen there.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and write nothing.")] = False,
    json: Json = False,
) -> None:
    """Publish a model folder as a Kaggle Model, private by default.

    One instance a framework (PyTorch, Keras, ONNX, LiteRT), each with the manifest; the model card is its description.
    The same command again publishes nothing twice, and goes on where it was interrupted.

    Example: k2l publish compact --remote emulator --dry-run
    """
    from local.publishing import upload_plan as parcels
    from shared.core.errors import one_of

    one_of("remote", remote, REMOTES)
    parcel = parcels.pack(model, slug=slug, title=title, license=license, notes=notes)
    if dry_run:
        return tell_plan(parcel, remote, public=public, json=json)
    steps = sent(parcel, remote, public=public, resend=resend)
    if json:
        emit(asdict(step) for step in steps)
    else:
        table_of(DONE, steps)
        tell_next(steps, remote)
    return None


def sent(parcel: "Parcel", remote: str, *, public: bool, resend: bool) -> "list[Step]":
    """Publishes, and says each step; Ctrl-C is answered with how to go on."""
    from local.publishing import publish as publishing
    from local.runs import journal

    with journal.lock(parcel.folder.resolve().name), ExitStack() as stack:
        service = options.service(remote)
        done = stack.enter_context(bar(f"publishing {parcel.slug}"))
        try:
            return list(
                publishing.publish(
                    service,
                    parcel,
                    public=public,
                    again=resend,
                    on_step=say,
                    on_share=lambda share: done(Progress(share)),
                )
            )
        except KeyboardInterrupt:
            way = again(without="--again")  # which would make once more what may have arrived now
            raise Ended(f"interrupted: what arrived is kept, and nothing is made twice. Go on: {way}") from None


def tell_plan(parcel: "Parcel", remote: str, *, public: bool, json: bool) -> None:
    """What would be done, as far as that can be known without writing anything.

    Raises what a publishing would end with, credentials that are missing only after all that is known without them.
    """
    from local.jobs import connect
    from local.publishing import publish as publishing
    from shared.core.errors import CredentialsError

    service, lacking = None, None
    try:
        service = connect.reach(remote)
    except CredentialsError as error:
        lacking = error
    if service is None:
        say(f"NOTE: what is there is not known: {'no credentials' if lacking else 'the emulator does not run'}")
    todo, steps = publishing.plan(service, parcel, public=public)
    if json:
        emit(asdict(step) for step in steps)
    else:
        show(f"{parcel.title} ({parcel.slug}), {'public' if public else 'private'}")
        for one in todo:
            show(f"  {one}")
        table_of(PLANNED, steps)
    for name in parcel.left_out:
        say(f"left out: {name} (it belongs to no framework that is published)")
    if lacking:
        raise lacking
    say(f"nothing was published. It would be {sum(map(size_of, steps)):,} bytes of files.")


def size_of(step: "Step") -> int:
    """The bytes that a step sends."""
    from local.publishing.publish import SAME, UNSEEN

    return 0 if step.state in (SAME, UNSEEN) else step.bytes


def tell_next(steps: "list[Step]", remote: str) -> None:
    """How to fetch it, where that is Kaggle."""
    if remote != "emulator":
        first = steps[0]
        say(f"next: kaggle models instances versions download {first.handle}/{first.version}")


PLANNED = {
    "instance": lambda step: step.handle,
    "state": lambda step: step.state,
    "version": lambda step: step.version or "",
    "files": lambda step: ", ".join(step.files),
    "bytes": lambda step: f"{step.bytes:,}",
    "license": lambda step: step.license,
}
DONE = {
    "instance": lambda step: step.handle,
    "version": lambda step: step.version,
    "what became of it": lambda step: step.state,
}

if __name__ == "__main__":
    run(publish)
