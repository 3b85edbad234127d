"""`ganymede jobs …`, and watching a job to its end."""

from typing import TYPE_CHECKING, Annotated

import typer

from ganymede.commands.common import (
    After,
    AsJson,
    Limit,
    Out,
    PngOut,
    connect,
    print_done,
    print_json,
    print_page,
    print_record,
)
from ganymede.terminal import answer, tell

if TYPE_CHECKING:
    from ganymede.client import Client
    from ganymede.errors import GanymedeError
    from ganymede.records import Event, Job
    from ganymede.render import Watcher

WARNINGS = frozenset({"warning", "job.recovered"})
"""Events that a person should hear of while a job goes on."""

app = typer.Typer(help="Watch and steer jobs.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="JOB", help="A job's id.")]
Word = Annotated[str | None, typer.Option(metavar="WORD", help="Only those; see the API for the words.")]


@app.command("list")
def list_(
    context: typer.Context,
    status: Word = None,
    kind: Annotated[str | None, typer.Option("--type", metavar="WORD", help="Only those of this type.")] = None,
    model: Annotated[str | None, typer.Option(help="Only those that train this model.")] = None,
    order: Annotated[str | None, typer.Option(metavar="asc|desc", help="Oldest or newest first.")] = None,
    limit: Limit = None,
    after: After = None,
    as_json: AsJson = False,
) -> None:
    """List jobs."""
    from ganymede.records import Job

    with connect(context) as client:
        page = client.jobs.list(status=status, type=kind, model=model, after=after, limit=limit, order=order)
        print_page(page, Job, as_json)


@app.command()
def show(context: typer.Context, job: Id, as_json: AsJson = False) -> None:
    """Show a job: what was asked, what was chosen and why, and where it stands."""
    with connect(context) as client:
        print_record(client.jobs.get(job), as_json)


@app.command()
def watch(context: typer.Context, job: Id, as_json: AsJson = False) -> None:
    """Follow a job to its end. Ends with 0 if it succeeds, 1 if it fails, 6 if it is cancelled."""
    with connect(context) as client:
        follow(client, job, as_json)


def follow(client: "Client", job: str, as_json: bool) -> None:
    """Show a job's progress until it ends, then the job. Raises JobFailed or JobCancelled."""
    from ganymede.client import succeeded

    found = watched(client, job)
    if as_json:
        print_record(found, as_json)
    succeeded(found)
    if not as_json:
        answer(ended(found))


def watched(client: "Client", job: str) -> "Job":
    """Show a job's progress until it ends, well or not: as the server tells it, or by asking where it only answers."""
    from ganymede.errors import BadRequest, NotFound, NotStreamed
    from ganymede.render import job_bar

    try:
        with job_bar(job) as show_progress:
            try:
                return told(client, job, show_progress)
            except (BadRequest, NotFound, NotStreamed):
                return asked(client, job, show_progress)
    except KeyboardInterrupt:
        tell(f"the job goes on: `ganymede jobs watch {job}` or `ganymede jobs cancel {job}`")
        raise


def told(client: "Client", job: str, show_progress: "Watcher") -> "Job":
    """Watch a job by its stream."""
    from ganymede.records import Event, Job
    from ganymede.render import warning

    found = None
    for news in client.jobs.stream(job, away=waiting):
        if isinstance(news, Job):
            found = news
            show_progress(news)
        elif isinstance(news, Event) and news.type in WARNINGS:
            tell(warning(news))
    return found if found is not None and found.ended else client.jobs.get(job)


def asked(client: "Client", job: str, show_progress: "Watcher") -> "Job":
    """Watch a job by asking again and again."""
    seen: str | int | None = None
    for found in client.jobs.watch(job, away=waiting):
        show_progress(found)
        seen = tell_warnings(client, job, seen)
    return found


def waiting(error: "GanymedeError") -> None:
    """Say that a server is waited for, and why."""
    tell(f"{error}; waiting for it to come back")


def tell_warnings(client: "Client", job: str, seen: str | int | None) -> str | int | None:
    """Say each warning and recovery beyond the event `seen`; returns the newest event looked at."""
    from ganymede.errors import GanymedeError
    from ganymede.render import warning

    try:
        page = client.jobs.events(job, after=seen)
    except GanymedeError:  # a courtesy: its failure does not end the watching
        return seen
    for event in page.data:
        if event.type in WARNINGS:
            tell(warning(event))
    newest = page.last_id if page.data else seen
    return tell_warnings(client, job, newest) if page.has_more else newest


def ended(job: "Job") -> str:
    """How a job ended, in a line."""
    from ganymede.render import facts

    by = f" (ended by {job.ended_by})" if job.ended_by else ""
    return f"{job.id} {job.status}{by}: {facts(job)}"


def steer(context: typer.Context, verb: str, job: str, as_json: bool) -> None:
    """Ask something of a job and say what it is now."""
    with connect(context) as client:
        found = getattr(client.jobs, verb)(job)
    if as_json:
        print_record(found, as_json)
    else:
        answer(f"{found.id} is {found.status}")


@app.command()
def cancel(context: typer.Context, job: Id, as_json: AsJson = False) -> None:
    """Cancel a job."""
    steer(context, "cancel", job, as_json)


@app.command()
def pause(context: typer.Context, job: Id, as_json: AsJson = False) -> None:
    """Pause a job; it keeps its newest state."""
    steer(context, "pause", job, as_json)


@app.command()
def resume(context: typer.Context, job: Id, as_json: AsJson = False) -> None:
    """Put a paused job back into the queue."""
    steer(context, "resume", job, as_json)


@app.command()
def retry(context: typer.Context, job: Id, as_json: AsJson = False) -> None:
    """Queue a new job that goes on from the newest checkpoint of one that failed or was cancelled."""
    steer(context, "retry", job, as_json)


@app.command()
def events(
    context: typer.Context,
    job: Id,
    limit: Limit = None,
    after: After = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens until the job ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what happened to a job; with --follow, a line each as it happens."""
    from ganymede.records import Event

    with connect(context) as client:
        if not follow:
            print_page(client.jobs.events(job, limit=limit, after=after), Event, as_json)
            return
        for news in client.jobs.stream(job, after=after, away=waiting):
            if isinstance(news, Event):
                print_event(news, as_json)


def print_event(event: "Event", as_json: bool) -> None:
    """An event as a line: of JSON, or for a person."""
    from ganymede.render import event_line

    answer(event.model_dump_json() if as_json else event_line(event))


@app.command()
def metrics(
    context: typer.Context,
    job: Id,
    csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values, with a line of headings.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a job's time series, keyed by images seen."""
    from ganymede import render

    with connect(context) as client:
        if csv:
            answer(client.jobs.metrics_csv(job).replace("\r\n", "\n").rstrip("\n"))
            return
        rows = client.jobs.metrics(job)
    if as_json:
        print_json(rows)
    else:
        render.series(rows)


@app.command()
def preview(
    context: typer.Context,
    job: Id,
    out: PngOut,
    at: Annotated[int | None, typer.Option(metavar="IMAGES", help="The picture at so many images.", min=0)] = None,
    as_json: AsJson = False,
) -> None:
    """Save the newest picture of a job's fixed seeds, or an earlier one."""
    with connect(context) as client:
        print_done(str(client.jobs.preview(job, out, at=at)), "wrote", as_json)


@app.command()
def timelapse(
    context: typer.Context,
    job: Id,
    out: Out,
    fps: Annotated[float | None, typer.Option(help="Pictures a second.")] = None,
    as_json: AsJson = False,
) -> None:
    """Save all pictures of a job's fixed seeds as an animation: a .webp, .gif or .apng."""
    with connect(context) as client:
        print_done(str(client.jobs.timelapse(job, out, fps=fps)), "wrote", as_json)


@app.command()
def rm(context: typer.Context, job: Id, as_json: AsJson = False) -> None:
    """Delete a job that has ended."""
    with connect(context) as client:
        client.jobs.delete(job)
    print_done(job, "deleted", as_json)
