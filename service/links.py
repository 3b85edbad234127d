"""OpenAPI links: what an answer says that another call asks for. Clients and tests find their way by the document.

Of a resource, every call is linked that names it in its path; of a list, what looks at its first entry.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple


class Said(NamedTuple):
    """The answers of a call that name a resource: the call's name, the status, where the id stands (RFC 6901)."""

    call: str
    status: str
    place: str


NAMED_BY: Final[dict[str, tuple[Said, ...]]] = {
    "job": (
        Said("create_job", "202", "/id"),
        Said("create_projection", "202", "/id"),
        Said("retry_job", "202", "/id"),
        Said("list_jobs", "200", "/first_id"),
    ),
    "dataset": (Said("create_dataset", "202", "/id"), Said("list_datasets", "200", "/first_id")),
    "model": (
        Said("create_model", "201", "/id"),
        Said("create_job", "202", "/model"),
        Said("list_models", "200", "/first_id"),
    ),
}
"""Parameter of a path → what says a value for it."""

WITH_CHECKPOINT: Final = (
    Said("get_model", "200", "/checkpoints/0/id"),
    Said("create_model", "201", "/checkpoints/0/id"),
)
"""What says the `checkpoint` of a path that names a model too."""

ASKING: Final[dict[str, dict[str, Any]]] = {
    "create_samples": {"model": "/name", "seed": 0},
    "create_interpolation": {"model": "/name", "keyframes": [{"seed": 0}, {"seed": 1}]},
}
"""Calls whose body names a model, with the body that a link proposes."""


def link(document: dict[str, Any]) -> None:
    """Puts the links into an OpenAPI document."""
    operations = {item["operationId"]: item for path in document["paths"].values() for item in path.values()}
    for said, target, proposed in [*path_links(document), *body_links()]:
        answer = operations[said.call]["responses"][said.status]
        answer.setdefault("links", {})[target] = {"operationId": target, **proposed}


Link = tuple[Said, str, dict[str, Any]]


def path_links(document: dict[str, Any]) -> Iterator[Link]:
    """Links to the calls whose path names one resource, or a model and its checkpoint."""
    for operation in (item for path in document["paths"].values() for item in path.values()):
        inside = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"]
        target = operation["operationId"]
        for said in NAMED_BY.get(inside[0], ()) if len(inside) == 1 else ():
            yield said, target, {"parameters": {inside[0]: body_at(said.place)}}
        for said in WITH_CHECKPOINT if inside == ["model", "checkpoint"] else ():
            yield said, target, {"parameters": {"model": body_at("/id"), "checkpoint": body_at(said.place)}}


def body_links() -> Iterator[Link]:
    """Links from a model to what is drawn of it."""
    for target, body in ASKING.items():
        proposed = {name: body_at(value) if name == "model" else value for name, value in body.items()}
        for call, status in (("get_model", "200"), ("create_model", "201")):
            yield Said(call, status, "/name"), target, {"requestBody": proposed}


def body_at(place: Any) -> str:
    """The runtime expression of a place in the answer's body."""
    return f"$response.body#{place}"
