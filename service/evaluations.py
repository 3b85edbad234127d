"""What an evaluation is to compare: the model, its checkpoint and the datasets of a request, found in the ledger."""

from typing import NamedTuple

from gan.errors import Conflict, InvalidRequest, NotFound
from gan.evaluating import Side, choose, dataset_side
from gan.spec import EvaluateRequest, EvaluationSpec, NetworkSpec, Split, TrainingSpec
from ledger import records
from service.house import House
from service.planning import CONDITIONS


class Evaluated(NamedTuple):
    """An evaluation's spec, the dataset that it goes by, and the model that it is of, if it is of one."""

    spec: EvaluationSpec
    dataset: records.Dataset
    model: records.Model | None


def evaluation_of(house: House, body: EvaluateRequest) -> Evaluated:
    """The evaluation that a request asks for. Raises NotFound, Conflict, InvalidRequest."""
    return of_datasets(house, body) if body.model is None else of_model(house, body, body.model)


def of_datasets(house: House, body: EvaluateRequest) -> Evaluated:
    """Of one dataset by another."""
    assert body.dataset is not None
    assert body.against is not None
    dataset, other = ready_dataset(house, body.dataset), ready_dataset(house, body.against, "against")
    spec = choose(
        body.model_copy(update={"against": other.name}),
        dataset_side("dataset", dataset.name, dataset.facts()),
        dataset_side("against", other.name, other.facts()),
        dataset=dataset.name,
        checkpoint=None,
        split=None,
        inception=house.settings.inception_weights is not None,
    )
    return Evaluated(spec, dataset, None)


def of_model(house: House, body: EvaluateRequest, reference: str) -> Evaluated:
    """Of a model by a dataset: its own, unless another is named."""
    model, checkpoint = house.models.resolve(reference)
    network = NetworkSpec.model_validate(model.network)
    if network.conditioning.kind not in CONDITIONS:
        raise InvalidRequest(
            f"model {model.name} takes more than a latent and a label, and is not evaluated", param="model"
        )
    dataset = ready_dataset(house, body.dataset) if body.dataset is not None else own_dataset(house, model)
    split = split_of(house, checkpoint) if dataset.id == model.dataset_id else None
    spec = choose(
        body.model_copy(update={"model": model.name}),
        dataset_side("dataset", dataset.name, dataset.facts()),
        Side(f"model {model.name}", "model", network.shape, None),
        dataset=dataset.name,
        checkpoint=checkpoint.id,
        split=split,
        inception=house.settings.inception_weights is not None,
    )
    return Evaluated(spec, dataset, model)


def own_dataset(house: House, model: records.Model) -> records.Dataset:
    """What the model was trained on. Raises Conflict where it was deleted."""
    try:
        return ready_dataset(house, model.dataset_id or "")
    except NotFound as error:
        message = f"the dataset of model {model.name} was deleted: name the one to compare with"
        raise Conflict(message, param="dataset") from error


def split_of(house: House, checkpoint: records.Checkpoint) -> Split:
    """How the training that made a checkpoint divided its data; as if nothing were held out, where the job is gone."""
    trained = training_of(house, checkpoint)
    return Split(share=0.0, seed=0) if trained is None else trained.split


def training_of(house: House, checkpoint: records.Checkpoint) -> TrainingSpec | None:
    """The training that made a checkpoint; None where it was made elsewhere, or the job's record deleted."""
    try:
        return TrainingSpec.model_validate(house.jobs.get(checkpoint.job_id or "").spec)
    except NotFound:
        return None


def ready_dataset(house: House, reference: str, param: str = "dataset") -> records.Dataset:
    """A dataset that can be worked on. Raises NotFound, or Conflict while it is not ready or because it failed."""
    try:
        dataset = house.datasets.get(reference)
    except NotFound as error:
        raise NotFound(error.message, param=param) from error
    if dataset.status == "preparing":
        raise Conflict(f"dataset {dataset.name} is still being prepared: wait until it is ready", param=param)
    if dataset.status == "failed":
        reason = (dataset.error or {}).get("message", "unknown")
        raise Conflict(f"dataset {dataset.name} could not be prepared: {reason}", param=param)
    return dataset
