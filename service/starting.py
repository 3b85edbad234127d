"""The checkpoint that a training is to go on from, found in the ledger, and what its file says of itself."""

from typing import Any

from safetensors import SafetensorError

from gan.errors import CheckpointCorrupt, Conflict, NotFound
from gan.spec import NetworkSpec, Origin, RecipeName
from gan.starting import Start
from ledger import records
from ledger.best import followed
from ledger.storage import Storage
from service.averages import header_of
from service.evaluations import training_of
from service.house import House

PARAM = "resume_from"


def start_of(house: House, reference: str, name: str, dataset: records.Dataset) -> Start:
    """What goes on from a checkpoint, under this name, with this dataset.

    Raises NotFound, or Conflict where the model has no checkpoint yet or its file cannot be read.
    """
    model, checkpoint = resolved(house, reference)
    same_model, same_data = model.name == name, are_its_data(model, header(house.storage, checkpoint), dataset)
    trained = training_of(house, checkpoint) if same_data else None
    origin = Origin(
        model=model.name,
        checkpoint=checkpoint.id,
        images=checkpoint.images,
        sha256=checkpoint.sha256,
        before=checkpoint.images if same_model else 0,
        split_seed=None if trained is None else trained.split.seed,
    )
    recipe: RecipeName = model.recipe  # type: ignore[assignment]  # the ledger's models have no other
    return Start(
        origin=origin,
        network=NetworkSpec.model_validate(model.network),
        classes=tuple(model.classes),
        recipe=recipe,
        metric=followed(model.metric, model.network),
        same_model=same_model,
        same_data=same_data,
        held_out=None if trained is None else trained.split.share,
    )


def resolved(house: House, reference: str) -> tuple[records.Model, records.Checkpoint]:
    """`Models.resolve`, whose errors name this field."""
    try:
        return house.models.resolve(reference)
    except (NotFound, Conflict) as error:
        raise type(error)(error.message, param=PARAM) from error


def header(storage: Storage, checkpoint: records.Checkpoint) -> dict[str, Any]:
    """What the checkpoint's file says of itself. Raises CheckpointCorrupt where it is gone or cannot be read."""
    try:
        return header_of(storage.path(checkpoint.path))
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointCorrupt(f"the file of checkpoint {checkpoint.id} cannot be read", param=PARAM) from error


def are_its_data(model: records.Model, said: dict[str, Any], dataset: records.Dataset) -> bool | None:
    """Whether a checkpoint was trained on this dataset, or one with the same content; None where nothing here says."""
    if dataset.digest == said.get("dataset_digest"):
        return True
    return None if model.dataset_id is None else model.dataset_id == dataset.id
