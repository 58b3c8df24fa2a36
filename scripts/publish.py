"""`k2l publish`: a model folder becomes a Kaggle Model; nothing is published twice."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from local.jobs.remotes import REMOTES
from scripts.steps import options
from scripts.steps.progress import tell
from scripts.terminal.edge import Ended, run
from scripts.terminal.output import Json, bar, emit, say, show
from scripts.terminal.tables import table_of
from scripts.terminal.verbs import again
from shared.core.events import Event

if TYPE_CHECKING:
    from local.publishing.publish import Step
    from local.publishing.upload_plan import UploadPlan


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
    The same command again publishes nothing twice, and resumes what was interrupted.

    Example: k2l publish compact --remote emulator --dry-run
    """
    from local.publishing.upload_plan import plan_upload
    from shared.core.errors import one_of

    one_of("remote", remote, REMOTES)
    plan = plan_upload(model, slug=slug, title=title, license=license, notes=notes)
    if dry_run:
        return show_plan(plan, remote, public=public, json=json)
    steps = published(plan, remote, public=public, resend=resend)
    if json:
        return emit(asdict(step) for step in steps)
    table_of(DONE, steps)
    if remote != "emulator":
        say(f"next: kaggle models instances versions download {steps[0].handle}/{steps[0].version}")
    return None


def published(plan: "UploadPlan", remote: str, *, public: bool, resend: bool) -> "list[Step]":
    """Publishes, and says each step; Ctrl-C is answered with how to resume."""
    from local.publishing.publish import publish
    from local.runs import journal

    with journal.lock(plan.folder.resolve().name):
        service = options.service(remote)
        with bar(f"publishing {plan.slug}") as draw:

            def report(event: Event) -> None:
                draw(event)
                tell(event)

            try:
                return list(publish(service, plan, public=public, again=resend, report=report))
            except KeyboardInterrupt:
                way = again(without="--again")  # which would make once more what may have arrived now
                raise Ended(f"interrupted: what arrived is kept, and nothing is made twice. Resume: {way}") from None


def show_plan(plan: "UploadPlan", remote: str, *, public: bool, json: bool) -> None:
    """What would be done, as far as that can be known without writing anything.

    Raises what a publishing would end with, credentials that are missing only after all that is known without them.
    """
    from local.jobs import connect
    from local.publishing.publish import dry_run
    from shared.core.errors import CredentialsError

    service, lacking = None, None
    try:
        service = connect.reach(remote)
    except CredentialsError as error:
        lacking = error
    if service is None:
        say(f"NOTE: what is there is not known: {'no credentials' if lacking else 'the emulator does not run'}")
    changes, steps = dry_run(service, plan, public=public)
    if json:
        emit(asdict(step) for step in steps)
    else:
        show(f"{plan.title} ({plan.slug}), {'public' if public else 'private'}", *(f"  {one}" for one in changes))
        table_of(PLANNED, steps)
    for name in plan.left_out:
        say(f"left out: {name} (it belongs to no framework that is published)")
    if lacking:
        raise lacking
    say(f"nothing was published. It would be {sum(step.bytes_to_send for step in steps):,} bytes of files.")


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
