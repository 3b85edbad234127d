"""What a training is to be: every figure of a request chosen, and what it will take, before anything is queued."""

from typing import Any, NamedTuple

from gan.choosing import resolve
from gan.spec import TrainingSpec, TrainRequest
from gan.starting import resolve_from
from ledger import records
from service.estimating import estimate_for, refuse_too_large
from service.evaluations import ready_dataset
from service.house import House
from service.starting import start_of


class Training(NamedTuple):
    """A training as it would be queued. `estimate` is None where its network is not counted."""

    spec: TrainingSpec
    dataset: records.Dataset
    estimate: dict[str, Any] | None


def training_for(house: House, body: TrainRequest) -> Training:
    """A training on a dataset that is ready, every figure chosen for the device that will run it.

    Raises NotFound, Conflict, InvalidRequest, which name the field.
    """
    dataset, device = ready_dataset(house, body.dataset), house.train_device()
    facts = dataset.facts()
    start = None if body.resume_from is None else start_of(house, body.resume_from, body.model, dataset)
    spec = resolve(body, facts, device) if start is None else resolve_from(body, facts, device, start)
    refuse_too_large(house, spec, facts, device)
    return Training(spec, dataset, estimate_for(house, spec, facts, device))
