"""What the OpenAPI document says of sampling: examples, media types, headers, the JSON answer's schema."""

from typing import Any, Final, Literal

from fastapi.openapi.models import Example
from pydantic import Field

from service.rendering import JSON_TYPE, OFFERS, Subject
from service.schemas import Answer, example


class Sample(Answer):
    """One row of a JSON answer: a sample, or a frame of an interpolation."""

    index: int
    seed: int | None = Field(description="Null where it came from a latent, or lies between keyframes.")
    label: str | None = Field(description="Null where the model takes no class, or between two of them.")
    mixture: dict[str, float] | None = Field(None, description="Between two labels: class → share.")
    condition: list[float] | None = Field(None, description="Of a model conditioned on numbers.")
    input: str | None = Field(None, description="Of a model of pairs: sha256 of the input's levels, as it was given.")
    latent: list[float] | None = Field(None, description="As the generator got it: truncation is done already.")
    b64_json: str | None = Field(None, description="The image as a PNG, in base64.")
    point: list[float] | None = Field(None, description="In the data's own units.")


class SampleList(Answer):
    """Samples, or the frames of an interpolation, as JSON; `images` is what the checkpoint had seen."""

    model_config = example(
        object="samples",
        model="digits",
        checkpoint="ckpt_0123456789abcdef01234567",
        images=200000,
        truncation=1.0,
        ema=10000,
        data=[{"index": 0, "seed": 7, "label": "3", "latent": [0.234, -1.29, 0.566]}],
    )

    object: Literal["samples", "interpolation"]
    model: str
    checkpoint: str
    images: int
    truncation: float
    ema: float | None = Field(description="Half-life of the average that drew; 0: the raw generator; null: not known.")
    data: list[Sample]


BINARY: Final = {"schema": {"type": "string", "format": "binary"}}

HEADERS: Final = {
    name: {"schema": {"type": "string"}, "description": description}
    for name, description in {
        "X-Ganymede-Model": "The model's name.",
        "X-Ganymede-Checkpoint": "The checkpoint that made it.",
        "X-Ganymede-Seeds": "Seeds, comma-separated; a long list is cut and ends in `...`.",
        "X-Ganymede-Labels": "Labels, comma-separated and percent-encoded; cut likewise.",
        "X-Ganymede-Truncation": "ψ.",
        "X-Ganymede-Ema": "Half-life of the average that drew, in images; 0 is the raw generator.",
        "Server-Timing": "Milliseconds: queue, batch, forward, encode.",
    }.items()
}

DESCRIPTIONS: Final[dict[Subject, str]] = {
    "samples": "The samples, as `Accept` asks: images are PNG by default, points JSON.",
    "interpolation": "The walk, as `Accept` asks: images are a PNG film strip by default, points JSON.",
}


def answers(subject: Subject) -> dict[int | str, dict[str, Any]]:
    """The documented success of a sampling route: every media type of its offers."""
    types = dict.fromkeys(offer.media_type for (which, _), row in OFFERS.items() if which == subject for offer in row)
    content = {media_type: BINARY for media_type in types if media_type != JSON_TYPE}
    success = {"description": DESCRIPTIONS[subject], "content": content, "headers": HEADERS, "model": SampleList}
    return {200: success}


IMAGE_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The picture.",
        "content": dict.fromkeys(("image/png", "image/webp", "image/jpeg"), BINARY),
        "headers": HEADERS
        | {
            "ETag": {"schema": {"type": "string"}, "description": "Weak."},
            "Cache-Control": {"schema": {"type": "string"}, "description": "`immutable` under a `ckpt_` id."},
        },
    },
    304: {"description": "The picture already held is still that one."},
}

SAMPLE_EXAMPLES: Final[dict[str, Example]] = {
    "grid": {"summary": "A grid of sixteen", "value": {"model": "digits", "seed": 0, "count": 16, "size": 32}},
    "labels": {
        "summary": "Three of a class each",
        "value": {"model": "digits", "seeds": [1, 2, 3], "labels": ["3", "5", "8"], "truncation": 0.7},
    },
    "latents": {
        "summary": "Latents as JSON (Accept: application/json)",
        "value": {"model": "digits", "seed": 7, "count": 2, "return": ["latent"]},
    },
    "raw": {
        "summary": "The generator as it was last trained, or by an average of another half-life",
        "value": {"model": "digits@best", "seed": 0, "count": 16, "ema": "raw"},
    },
    "condition": {
        "summary": "A model conditioned on numbers (c_ columns of points, labels.csv of images)",
        "value": {"model": "branches", "seed": 0, "count": 100, "condition": [0.5]},
    },
    "inputs": {
        "summary": "A model of pairs: four images made of one (a PNG, JPEG or WebP in base64)",
        "value": {"model": "crossing", "seed": 0, "count": 4, "inputs": ["iVBORw0KGgo…"]},
    },
}

INTERPOLATION_EXAMPLES: Final[dict[str, Example]] = {
    "strip": {
        "summary": "A film strip",
        "value": {"model": "digits", "keyframes": [{"seed": 1, "label": "3"}, {"seed": 2, "label": "8"}], "frames": 12},
    },
    "animation": {
        "summary": "A loop that moves (Accept: image/gif)",
        "value": {
            "model": "digits",
            "keyframes": [{"seed": 1}, {"seed": 2}, {"seed": 3}],
            "frames": 48,
            "loop": True,
            "easing": "ease_in_out",
            "layout": "animation",
            "fps": 24,
        },
    },
    "input": {
        "summary": "A model of pairs: from one image of an input to another",
        "value": {"model": "crossing", "keyframes": [{"seed": 1}, {"seed": 2}], "frames": 12, "input": "iVBORw0KGgo…"},
    },
}
