"""`ganymede evaluate`: how good a model is, or how far apart two datasets are."""

from typing import Annotated, Any

import typer

from ganymede.commands.common import AsJson, connect, print_json
from ganymede.commands.jobs import watched
from ganymede.errors import UsageError


def evaluate(
    context: typer.Context,
    model: Annotated[str | None, typer.Argument(help="A model, or a checkpoint of it: `digits@120000`.")] = None,
    dataset: Annotated[str | None, typer.Option(help="What it is measured by; default: the model's own data.")] = None,
    against: Annotated[str | None, typer.Option(help="Without a model: the dataset to measure instead.")] = None,
    metrics: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="Only these, as the API names them; default: all there are.")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Rows of either side.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Steps of the networks behind js_ and wasserstein_estimate.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Which samples.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a model by data that it was not trained on, or one dataset by another, and print a table."""
    from ganymede import render
    from ganymede.client import succeeded

    if model is None and (dataset is None or against is None):
        raise UsageError("name a model, or two datasets by --dataset and --against")
    given: dict[str, Any] = {
        "model": model,
        "dataset": dataset,
        "against": against,
        "metrics": None if metrics is None else [name.strip() for name in metrics.split(",")],
        "samples": samples,
        "steps": steps,
        "seed": seed,
    }
    asked = {"type": "evaluate"} | {name: value for name, value in given.items() if value is not None}
    with connect(context) as client:
        job = succeeded(watched(client, client.jobs.create(asked).id))
    if as_json:
        print_json(job.result)
    else:
        render.evaluation(job.result or {})
