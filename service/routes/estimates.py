"""Estimates: what a training would be and take, with nothing queued."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends

from gan.spec import TrainRequest
from service.house import Inside
from service.openapi import json_body, problems
from service.parsing import body_of
from service.routes.jobs import EXAMPLES
from service.schemas import TrainingEstimate
from service.trainings import training_for

router = APIRouter(prefix="/v1/estimates", tags=["jobs"])

TRAININGS: Final[dict[str, Any]] = {name: one for name, one in EXAMPLES.items() if one["value"]["type"] == "train"}

Body = Annotated[TrainRequest, Depends(body_of(TrainRequest))]


@router.post(
    "",
    summary="What a training would be and take",
    openapi_extra=json_body(TrainRequest, TRAININGS),
    responses=problems(400, 404, 409, 413, 415),
)
def create_estimate(body: Body, house: Inside) -> TrainingEstimate:
    """Exactly what `POST /v1/jobs` would queue for the same body, and nothing queued: everything chosen, the reasons in
    `spec.chosen`, and what it will take.

    It is refused as the job would be; but for room in the queue and quotas, which count when it is queued.
    """
    training = training_for(house, body)
    house.jobs.refuse_training(training.spec, training.dataset, body.model)
    return TrainingEstimate.of(training.spec, training.dataset.name, body.model, training.estimate)
