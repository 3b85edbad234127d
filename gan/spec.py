"""The API's words: what a request may say, and what a job, network or sample is made of once all is chosen.

Pure pydantic; imports no torch, so that the client and the ledger can read it.
Unknown fields, NaN and infinities are refused everywhere (`Words`); what a caller sends is also held to the very types
of its fields (`Request`): no "3" for 3, no true for 1.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from gan.averages import MOST_AVERAGES, RAW, distinct, whole
from gan.metrics import MetricName

MAX_SEED = 2**63 - 1
"""Seeds are 0 ≤ seed < 2⁶³."""

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
"""Names of datasets and models: what fits into a URL path segment without escapes, and has no `@`."""

ID_PREFIXES = ("ds_", "job_", "mdl_", "ckpt_")
"""What ids begin with, and so no name may: wherever a name goes, an id goes too."""

MOST_FIELDS = 100
"""Fields of one object in a request; far more than any has, so that a flood of unknown ones costs one error."""


MOST_LISTED = 250_000
"""Entries of one list in a request: far more than a server makes at once unless its settings are raised, and few
enough to be looked at in a moment. Where `GANYMEDE_MAX_SAMPLES` allows more, `seed` and `count` ask for them."""

LOWEST_FPS = 0.1
"""Frames a second of an animation: ten seconds a frame, which every format has room for."""

LONGEST_KEY = 64
"""Characters of a key of `metadata`."""


def no_id(name: str) -> str:
    """A new name that cannot be mistaken for an id; ValueError for one that could."""
    if name.startswith(ID_PREFIXES):
        raise ValueError(f"a name may not begin with {', '.join(ID_PREFIXES)}: ids do")
    return name


def few_entries(value: Any) -> Any:
    """An object of a bearable size, or what is no object; ValueError for more than `MOST_FIELDS` entries."""
    if isinstance(value, dict) and len(value) > MOST_FIELDS:
        raise ValueError(f"{len(value)} fields are too many")
    return value


def short_keys(named: dict[str, str]) -> dict[str, str]:
    """What has only short keys; ValueError for one of more than `LONGEST_KEY` characters."""
    if any(len(key) > LONGEST_KEY for key in named):
        raise ValueError(f"a key may have {LONGEST_KEY} characters")
    if any("\ud800" <= character <= "\udfff" for key in named for character in key):
        raise ValueError("a key must be Unicode text")
    return named


def few_listed(value: Any) -> Any:
    """A list of a bearable length, or what is no list; ValueError for more than `MOST_LISTED` entries."""
    if isinstance(value, list) and len(value) > MOST_LISTED:
        raise ValueError(f"{len(value)} entries are too many: one list may have {MOST_LISTED}")
    return value


def wrong(field: str, message: str, *, missing: bool = False) -> ValidationError:
    """The error of a rule that concerns several fields, told of the one to change; `missing` if it was not sent."""
    kind = PydanticCustomError("missing" if missing else "value_error", "{reason}", {"reason": message})
    return ValidationError.from_exception_data("request", [InitErrorDetails(type=kind, loc=(field,), input=None)])


Seed = Annotated[int, Field(ge=0, le=MAX_SEED, strict=True)]
Name = Annotated[
    str,
    Field(pattern=NAME_PATTERN, json_schema_extra={"not": {"pattern": "^(ds|job|mdl|ckpt)_"}}),
    AfterValidator(no_id),
]
"""The name of a new dataset or model."""
REFERENCE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(@[A-Za-z0-9._-]{1,100})?$"
Reference = Annotated[str, Field(pattern=REFERENCE_PATTERN)]
"""An id or a name; of a model, perhaps with a checkpoint: `faces@120000`."""

Listed = BeforeValidator(few_listed)
"""On lists of a request that may be long: the length is judged before its entries are."""
Halflives = Annotated[
    list[Annotated[float, Field(ge=1, le=10**12), AfterValidator(whole)]],
    Field(max_length=MOST_AVERAGES),
    AfterValidator(distinct),
]
"""Half-lives of the averages that a training keeps, in images."""
Ema = Annotated[
    float,
    Field(ge=0),
    BeforeValidator(lambda value: RAW if value == "raw" else value),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"const": "raw"}]}),
]
"""Which average of the generator draws: its half-life in images, or `raw` (0), the generator as it was last trained."""
Latent = Annotated[list[float], Field(min_length=1, max_length=4096, fail_fast=True)]
Vector = Annotated[list[float], Field(fail_fast=True)]
Label = Annotated[str | int, Field(union_mode="left_to_right")]
"""A class by name or by index."""
Picture = Annotated[str, Field(min_length=1, json_schema_extra={"contentEncoding": "base64"})]
"""A PNG, JPEG or WebP image in base64."""

Loss = Literal["minimax", "non_saturating", "least_squares", "wasserstein", "hinge", "relativistic"]
Lipschitz = Literal["none", "weight_clipping", "gradient_penalty", "spectral_norm"]
RecipeName = Literal["minimax", "dcgan", "lsgan", "wgan", "wgan-gp", "sngan", "r3gan"]
Architecture = Literal["mlp", "dcgan", "plain", "resnet", "r3", "unet"]
Augment = Literal["none", "diffaugment", "ada"]
LatentDistribution = Literal["normal", "uniform"]
Optimizer = Literal["adam", "rmsprop"]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Priority = Annotated[
    int, Field(ge=-100, le=100, description="Higher goes first, then what waits longer; what runs is not interrupted.")
]
Metadata = Annotated[
    dict[str, Annotated[str, Field(max_length=512)]],
    Field(max_length=16, json_schema_extra={"propertyNames": {"maxLength": LONGEST_KEY}}),
    BeforeValidator(few_entries),
    AfterValidator(short_keys),
]
"""A caller's own words about a job."""
MOST_ROWS = 10**9
"""Samples or frames that can be spoken of at all; what a server makes at once is a setting, and far less."""


class Words(BaseModel):
    """Base of every spec: frozen, unknown fields refused, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Request(Words):
    """Base of what a caller sends: no value of another type is taken for the right one."""

    model_config = ConfigDict(strict=True)

    @model_validator(mode="before")
    @classmethod
    def no_flood(cls, value: Any) -> Any:
        """At most `MOST_FIELDS` fields, known or not."""
        return few_entries(value)


# ---- what the data is ----

IMAGE_SIDES = (8, 256)
"""Smallest and largest side, in pixels, that the image networks are built for and datasets are prepared at."""


Side = Annotated[int, Field(ge=IMAGE_SIDES[0], le=IMAGE_SIDES[1])]
"""Pixels of a dataset's width or height."""


class ImageShape(Words):
    """Images of `channels` × `height` × `width`, values in [-1, 1] inside the networks, uint8 outside.

    1 is grey, 3 is RGB; 2 and 4 are these with an alpha channel behind, not premultiplied (-1 or 0: transparent).
    """

    kind: Literal["images"] = "images"
    channels: Literal[1, 2, 3, 4]
    height: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]


class PointShape(Words):
    """Points of `dims` numbers; standardised (zero mean, unit variance) inside the networks, the data's own outside."""

    kind: Literal["points"] = "points"
    dims: Annotated[int, Field(ge=1, le=4096)]


DataShape = Annotated[ImageShape | PointShape, Field(discriminator="kind")]


class Conditioning(Words):
    """What the generator is given beside z: nothing, one of `size` classes, a vector of `size` numbers, or an image.

    An image has `size` channels, and the height and width of the images that are made.
    """

    kind: Literal["none", "class", "vector", "image"] = "none"
    size: Annotated[int, Field(ge=0)] = 0


class DatasetFacts(Words):
    """What choosing needs to know of a prepared dataset."""

    count: int
    shape: DataShape
    classes: tuple[str, ...] = ()
    condition_dims: int = 0
    input_channels: int | None = None
    """Channels of the inputs of a dataset of pairs, whose targets have `shape`; None of any other dataset."""


# ---- networks ----


class NetworkRequest(Request):
    """The overridable part of a network; what is left out is chosen."""

    architecture: Architecture | None = None
    width: Annotated[int, Field(ge=4, le=1024)] | None = None
    latent_dim: Annotated[int, Field(ge=1, le=1024)] | None = None
    latent_distribution: LatentDistribution | None = None


class NetworkSpec(Words):
    """A generator and its discriminator, fully described: the same spec always builds the same networks.

    `width` is the architecture's base channel count (dcgan, plain: ngf = ndf; resnet, r3, unet: channels
    of the finest stage; mlp: units a layer). `batch_norm` and `spectral_norm` speak of the discriminator.
    """

    architecture: Architecture
    width: int
    latent_dim: int
    latent_distribution: LatentDistribution
    shape: DataShape
    conditioning: Conditioning = Conditioning()
    batch_norm: bool = False
    spectral_norm: bool = False


# ---- training ----


class Split(Words):
    """How a training divided its data: `share` of the rows, drawn by `seed`, were held out."""

    share: float
    seed: Seed


class TrainRequest(Request):
    """Body of `POST /v1/jobs` with `type: train`. What is left out is chosen.

    `ema_halflife` is the average that draws by default (0: none), `ema_halflives` are all that are kept. `augment`:
    `diffaugment` transforms all that the discriminator sees, `ada` as often as it overfits; `auto`, as if it were left
    out, goes by the number and size of the images. Points have `none`. `model@best` follows `metric`, and so do the
    `keep_best` checkpoints that stay beside the newest. `l1` is for pairs alone: the weight of the mean absolute
    difference between what is made of an input and its target. `resume_from` is a checkpoint to go on from: in its own
    model where `model` is its name, else in a new one; `images` and `max_seconds` are budgets of this job alone.
    """

    type: Literal["train"]
    dataset: Reference
    model: Name
    resume_from: Reference | None = None
    recipe: RecipeName = "r3gan"
    seed: Seed = 0
    images: Annotated[int, Field(ge=1, le=10**12)] | None = None
    max_seconds: Annotated[float, Field(gt=0, le=10**8)] | None = None
    loss: Loss | None = None
    lipschitz: Lipschitz | None = None
    clip: Positive | None = None
    gradient_penalty: Positive | None = None
    r1: NonNegative | None = None
    r2: NonNegative | None = None
    l1: NonNegative | None = None
    critic_steps: Annotated[int, Field(ge=1, le=1000)] | None = None
    batch_size: Annotated[int, Field(ge=2, le=65536)] | None = None
    optimizer: Optimizer | None = None
    learning_rate: Annotated[float, Field(gt=0, le=10)] | None = None
    betas: Annotated[tuple[Beta, Beta], Field(strict=False)] | None = None
    ema_halflife: NonNegative | None = None
    ema_halflives: Halflives | None = None
    augment: Augment | Literal["auto"] | None = None
    conditional: bool | None = None
    shared_batch: bool | None = None
    holdout: Annotated[float, Field(ge=0, le=0.5)] | None = None
    network: NetworkRequest = NetworkRequest()
    checkpoint_every: Annotated[int, Field(ge=1)] | None = None
    preview_every: Annotated[int, Field(ge=1)] | None = None
    keep_checkpoints: Annotated[int, Field(ge=1, le=1000)] | None = None
    keep_best: Annotated[int, Field(ge=0, le=1000)] | None = None
    metric: MetricName | None = None
    priority: Priority = 0
    metadata: Metadata = {}


class Schedule(Words):
    """A value that moves from its field's figure to `to` over the job's budget."""

    to: float
    shape: Literal["linear", "cosine"]


class CriticBoost(Words):
    """More critic steps while the critic is young: `steps` for the first `first` generator steps, every `every`th."""

    steps: int
    first: int
    every: int
    cap: float
    """The share of the budget (0..1) within which the boost of the first steps holds."""


class Origin(Words):
    """The checkpoint that a training goes on from, and what follows from it.

    `images` is what it had seen. `before` is what checkpoints, series and previews count on from: `images` in the same
    model, 0 in a new one. `split_seed` drew the rows that it never saw; None where those are not known.
    """

    model: str
    checkpoint: str
    images: int
    sha256: str
    before: int = 0
    split_seed: Seed | None = None


class TrainingSpec(Words):
    """A training job with every figure chosen. `chosen` gives the reason for each field the request left out.

    `images` is None where only `max_seconds` bounds the job; `checkpoint_every` and `preview_every` count images and
    are None where the clock decides (neither changes what is learned). `report_every` counts images, always.
    `ema_halflives` has `ema_halflife`, unless that is 0, in ascending order. All of these are of this job alone, also
    where it goes on from another's checkpoint (`resume_from`).
    """

    recipe: RecipeName
    seed: Seed
    images: int | None
    max_seconds: float | None
    loss: Loss
    lipschitz: Lipschitz
    clip: float
    gradient_penalty: float
    r1: float
    r2: float
    l1: float = 0.0
    critic_steps: int
    critic_boost: CriticBoost | None
    batch_size: int
    optimizer: Optimizer
    learning_rate: float
    betas: tuple[float, float]
    schedules: dict[Literal["learning_rate", "beta2", "r1", "r2"], Schedule]
    ema_halflife: float
    ema_halflives: tuple[float, ...] = ()
    augment: Augment
    conditional: bool
    shared_batch: bool
    holdout: float
    network: NetworkSpec
    checkpoint_every: int | None
    preview_every: int | None
    report_every: int
    keep_checkpoints: int
    keep_best: int = 1
    metric: MetricName | None = None
    resume_from: Origin | None = None
    chosen: dict[str, str]

    @property
    def split(self) -> Split:
        """How the data are divided; where training goes on from a checkpoint of the same data, as they were for it."""
        drawn_by = self.resume_from.split_seed if self.resume_from is not None else None
        return Split(share=self.holdout, seed=self.seed if drawn_by is None else drawn_by)

    @property
    def before(self) -> int:
        """Images that the model had seen when the job was made."""
        return 0 if self.resume_from is None else self.resume_from.before


# ---- evaluation ----


class EvaluateRequest(Request):
    """Body of `POST /v1/jobs` with `type: evaluate`: a model against data, or a dataset `against` another.

    `dataset` is what the samples of `model`, or the rows of `against`, are compared with; left out, it is the model's
    own. `samples` are rows taken of either side, `steps` those of the discriminator and of the critic that are trained
    for `js_estimate` and `wasserstein_estimate`.
    """

    type: Literal["evaluate"]
    model: Reference | None = None
    dataset: Reference | None = None
    against: Reference | None = None
    metrics: Annotated[list[Annotated[str, Field(max_length=32)]] | None, Field(min_length=1, max_length=32)] = None
    samples: Annotated[int, Field(ge=64, le=50_000)] | None = None
    steps: Annotated[int, Field(ge=10, le=100_000)] | None = None
    seed: Seed = 0
    priority: Priority = 0
    metadata: Metadata = {}

    @model_validator(mode="after")
    def two_sides(self) -> Self:
        """A model, or two datasets."""
        if self.model is not None and self.against is not None:
            raise wrong("against", "a model is compared with a dataset: leave against out, or model")
        if self.model is None and (self.dataset is None or self.against is None):
            absent = "dataset" if self.dataset is None and self.against is not None else "against"
            missing = absent if self.dataset or self.against else "model"
            raise wrong(missing, "name a model, or a dataset and another against it", missing=True)
        return self


class EvaluationSpec(Words):
    """An evaluation with every figure chosen. `chosen` gives the reason for each field the request left out.

    `split` is set where a model is compared with the data it was trained on: the held-out rows can then be told apart.
    """

    model: str | None
    checkpoint: str | None
    dataset: str
    against: str | None
    metrics: tuple[str, ...]
    samples: int
    steps: int
    seed: Seed
    split: Split | None
    chosen: dict[str, str]


# ---- sampling ----

Returns = Literal["image", "latent"]


DirectionMethod = Literal["pca", "factorisation"]


class Edit(Request):
    """A step along one of a model's directions, by its number; `amount` is in standard deviations of the prior."""

    direction: Annotated[int, Field(ge=0, le=1023)]
    amount: Annotated[float, Field(ge=-100, le=100)]
    method: DirectionMethod = "pca"


class SampleSpec(Request):
    """Body of `POST /v1/samples`. One of `seeds`, `seed` (+ `count`) or `latents` says which samples.

    `truncation` is ψ in [0, 1]; `ema` is one of the checkpoint's averages, by its half-life. `labels` has one entry a
    sample, or one for all; `condition` is a vector for all samples or one a sample; `inputs`, for models of pairs, has
    one entry a sample, or one for all. A label left out is drawn from the seed by the training data's frequencies, an
    input from those that the checkpoint carries. `edits` move every latent, after truncation.
    """

    model: Reference
    seeds: Annotated[list[Seed], Field(min_length=1, fail_fast=True), Listed] | None = None
    seed: Seed | None = None
    count: Annotated[int, Field(ge=1, le=MOST_ROWS)] | None = None
    latents: Annotated[list[Latent], Field(min_length=1, fail_fast=True), Listed] | None = None
    labels: Annotated[list[Label], Field(min_length=1, fail_fast=True), Listed] | None = None
    condition: Annotated[Vector | Annotated[list[Vector], Field(fail_fast=True)] | None, Listed] = None
    inputs: Annotated[list[Picture], Field(min_length=1, fail_fast=True), Listed] | None = None
    truncation: Annotated[float, Field(ge=0, le=1)] = 1.0
    edits: Annotated[list[Edit], Field(min_length=1, max_length=64)] | None = None
    ema: Ema | None = None
    layout: Literal["grid", "separate"] | None = None
    columns: Annotated[int, Field(ge=1, le=1000)] | None = None
    size: Annotated[int, Field(ge=1, le=4096)] | None = None
    returns: Annotated[list[Returns] | None, Field(alias="return", min_length=1, max_length=2)] = None

    @model_validator(mode="after")
    def one_source(self) -> Self:
        """Exactly one way to say which samples, and no seed beyond 2⁶³ - 1."""
        given = [name for name in ("seeds", "seed", "latents") if getattr(self, name) is not None]
        if len(given) > 1:
            raise wrong(given[1], f"give one of seeds, seed or latents, not {' and '.join(given)}")
        if self.count is not None and self.seed is None and given:
            raise wrong("count", "count goes with seed; seeds and latents count themselves")
        if (self.seed or 0) + (self.count or 1) - 1 > MAX_SEED:
            raise wrong("count", "seed + count goes beyond 2^63 - 1")
        return self


class ScoreSpec(Request):
    """Body of `POST /v1/scores`: `images` for a model of images, `points` in the data's own units for one of points.

    `labels`, `condition` and `inputs` say what each is to be judged as, as in a `SampleSpec`; of a model of classes,
    one without a label is judged as each class, and the one that it fits best is named.
    """

    model: Reference
    images: Annotated[list[Picture], Field(min_length=1, fail_fast=True), Listed] | None = None
    points: Annotated[list[Vector], Field(min_length=1, fail_fast=True), Listed] | None = None
    labels: Annotated[list[Label], Field(min_length=1, fail_fast=True), Listed] | None = None
    condition: Annotated[Vector | Annotated[list[Vector], Field(fail_fast=True)] | None, Listed] = None
    inputs: Annotated[list[Picture], Field(min_length=1, fail_fast=True), Listed] | None = None

    @model_validator(mode="after")
    def one_kind(self) -> Self:
        """Exactly one of images and points."""
        if (self.images is None) == (self.points is None):
            missing = self.images is None
            raise wrong("images" if missing else "points", "give images or points, exactly one", missing=missing)
        return self


class ProjectRequest(Request):
    """Body of `POST /v1/projections`: the images whose latents are looked for.

    `labels`, `condition` and `inputs` are as in a `ScoreSpec`: of a model of classes, an image without a label gets the
    class that it is nearest in. The best `starts` of `candidates` random latents are moved for `steps` steps each.
    """

    model: Reference
    images: Annotated[list[Picture], Field(min_length=1, max_length=64, fail_fast=True), Listed]
    labels: Annotated[list[Label], Field(min_length=1, fail_fast=True), Listed] | None = None
    condition: Annotated[Vector | Annotated[list[Vector], Field(fail_fast=True)] | None, Listed] = None
    inputs: Annotated[list[Picture], Field(min_length=1, fail_fast=True), Listed] | None = None
    ema: Ema | None = None
    steps: Annotated[int, Field(ge=1, le=5000)] = 200
    starts: Annotated[int, Field(ge=1, le=16)] = 4
    candidates: Annotated[int, Field(ge=16, le=4096)] = 256
    seed: Seed = 0
    priority: Priority = 0
    metadata: Metadata = {}

    @model_validator(mode="after")
    def enough(self) -> Self:
        """No more starts than there are to choose from, and no seed beyond 2⁶³ - 1."""
        if self.starts > self.candidates:
            raise wrong("starts", f"{self.starts} starts cannot be chosen of {self.candidates} candidates")
        if self.seed + self.candidates - 1 > MAX_SEED:
            raise wrong("seed", "seed + candidates goes beyond 2^63 - 1")
        return self


class ProjectionSpec(Words):
    """A projection: of which checkpoint and average, of the images in a file below the storage root."""

    model: str
    checkpoint: str
    ema: float | None
    images: str
    count: int
    steps: int
    starts: int
    candidates: int
    seed: Seed


class Keyframe(Request):
    """A point to walk through: a seed, a latent or an image, with a label, condition or input if the model takes one.

    An image is projected first: what is walked through is the model's picture that comes nearest to it.
    """

    seed: Seed | None = None
    latent: Latent | None = None
    image: Picture | None = None
    label: Label | None = None
    condition: Vector | None = None
    input: Picture | None = None

    @model_validator(mode="after")
    def one_source(self) -> Self:
        """Exactly one of seed, latent and image."""
        given = [name for name in ("seed", "latent", "image") if getattr(self, name) is not None]
        if len(given) != 1:
            raise wrong(given[0] if given else "seed", "a keyframe is a seed, a latent or an image: give exactly one",
                        missing=not given)  # fmt: skip
        return self


class InterpolationSpec(Request):
    """Body of `POST /v1/interpolations`. `frames` is the total with end points; `loop` leaves the repeat out.

    `truncation` and `ema` are as in a `SampleSpec`. `input` is that of all keyframes which have none of their own;
    without any, one is drawn for the whole walk from the first keyframe's seed.
    """

    model: Reference
    keyframes: Annotated[list[Keyframe], Field(min_length=2, max_length=64, fail_fast=True), Listed]
    input: Picture | None = None
    frames: Annotated[int, Field(ge=2, le=MOST_ROWS)] = 16
    method: Literal["slerp", "lerp"] = "slerp"
    easing: Literal["linear", "ease_in_out"] = "linear"
    loop: bool = False
    truncation: Annotated[float, Field(ge=0, le=1)] = 1.0
    ema: Ema | None = None
    fps: Annotated[float, Field(ge=LOWEST_FPS, le=60)] = 12.0
    layout: Literal["strip", "animation"] | None = None
    size: Annotated[int, Field(ge=1, le=4096)] | None = None
    returns: Annotated[list[Returns] | None, Field(alias="return", min_length=1, max_length=2)] = None

    @model_validator(mode="after")
    def frames_hold_keyframes(self) -> Self:
        """Every keyframe is a frame of its own."""
        if self.frames < len(self.keyframes):
            reason = f"{len(self.keyframes)} keyframes need at least as many frames, not {self.frames}"
            raise wrong("frames", reason, missing="frames" not in self.model_fields_set)
        return self


class FolderSource(Request):
    """A folder below the server's import directory (`GANYMEDE_IMPORT_DIR`)."""

    path: Annotated[str, Field(min_length=1, max_length=1024)]


class DatasetRequest(Request):
    """JSON body of `POST /v1/datasets`; the multipart form has the same fields beside `file`."""

    name: Name
    source: FolderSource
    width: Side | None = None
    height: Side | None = None


# ---- models ----


class MemoryRequest(Request):
    """Body of `PUT /v1/models/{model}/memory`: a generator that is kept never leaves memory to make room."""

    kept: bool = False


class SessionRequest(Request):
    """Body of `POST /v1/session`: the API key that is traded, where it is not in `Authorization`."""

    key: str = Field(min_length=1, max_length=200)


class CheckpointRequest(Request):
    """Body of `PATCH /v1/models/{model}/checkpoints/{checkpoint}`: a pinned checkpoint is never retired."""

    pinned: bool
