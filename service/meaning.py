"""What a reference to a model means: the model, one of its checkpoints, and the network that both are of."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gan.spec import NetworkSpec
from ledger.models import Models
from ledger.records import Checkpoint, Model


class Found(NamedTuple):
    """`faces@best`, as the ledger has it."""

    model: Model
    checkpoint: Checkpoint
    network: NetworkSpec


def found_by(models: Models, references: Sequence[str]) -> Mapping[str, Found | Exception]:
    """What each reference means now, or why it means nothing: NotFound, Conflict."""
    meant = models.resolve_each(references)
    return {reference: said if isinstance(said, Exception) else found(*said) for reference, said in meant.items()}


def found(model: Model, checkpoint: Checkpoint) -> Found:
    """A model and its checkpoint, the network read."""
    return Found(model, checkpoint, NetworkSpec.model_validate(model.network))
