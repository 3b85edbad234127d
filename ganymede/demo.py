"""`ganymede demo`: real handwritten digits in, a trained GAN's digits out, through the public API alone.

It starts an embedded stack of its own, uploads scikit-learn's 1,797 scans, trains for about a minute, draws pictures
and measures two things: how many generated digits a classifier of real ones recognises, and the reverse.
"""

import importlib.util
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ganymede.client import MEDIA_TYPES, Client
from ganymede.errors import StackError
from ganymede.render import job_bar, shape, upload_bar
from ganymede.settings import DEFAULT_URL
from ganymede.stack import LOCK, hold, require_server
from ganymede.terminal import answer, tell

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAME: Final = "digits"
"""What the dataset and the model are called."""

CLASSES: Final = 10
SHADES: Final = 16
"""The scans' darkest value; 0 is paper."""

EACH: Final = 200
"""Generated digits of each class that the figures are measured on."""

GRID_SEED: Final = 0
FIGURE_SEED: Final = 10_000
"""First seeds of the grid and of the figures: no digit is counted that was looked at."""

WALK: Final = ((3, 8), (11, 3), (5, 9), (17, 4), (23, 0), (2, 6))
"""Seed and digit of each stop of the interpolation."""

PIXELS: Final = 48
"""Side of an enlarged digit."""

MARK: Final = "made-by-ganymede-demo"
"""A file that says that a folder may be emptied by the next demo."""

END_SECONDS: Final = 12.0
"""The stack ends itself within 10 s."""


@dataclass(frozen=True)
class Call:
    """One request that makes one file."""

    path: str
    body: dict[str, Any]
    out: Path

    def curl(self, url: str) -> str:
        """The same as a curl line, to be run beside the file."""
        return f"{posting(url + self.path, self.body)} -H 'Accept: {MEDIA_TYPES[self.out.suffix]}' -o {self.out.name}"


@dataclass(frozen=True)
class Figures:
    """What was measured, as shares of 1.

    `agreement`: generated digits that a classifier of real ones takes for the digit asked for; `worst` the digit that
    does worst and its share; `baseline`: that classifier on real digits it has not seen. `accuracy`: real digits
    recognised by a classifier that has seen only the generated ones.
    """

    agreement: float
    worst: tuple[int, float]
    baseline: float
    accuracy: float


def run(out: Path, seconds: float) -> None:
    """The whole demo. `seconds` of training; everything lands in `out`. Raises GanymedeError if a step fails."""
    require_demo()
    out.mkdir(parents=True, exist_ok=True)
    archive = pack_digits(out / f"{NAME}.zip", *digits())
    data = out / "data"
    with embedded(data) as client:
        upload(client, archive)
        request = train_request(seconds)
        train(client, request)
        calls = pictures(out)
        for call in calls:
            draw(client, call)
        figures = measure(client)
    (out / "figures.json").write_text(json.dumps(vars(figures), indent=2) + "\n")
    for line in report(archive, request, calls, figures, data):
        answer(line)


def require_demo() -> None:
    """Raise StackError where the server or scikit-learn is not installed."""
    require_server()
    if importlib.util.find_spec("sklearn") is None:
        raise StackError("the demo needs scikit-learn: pip install 'ganymede[server,demo]'", 2)


@contextmanager
def embedded(data: Path) -> Iterator[Client]:
    """`ganymede up` on a free port with a fresh `data` folder, and a client of it. Ends it on the way out."""
    with hold(data):
        clear(data)
    command = [sys.executable, "-m", "ganymede", "up", "--data", str(data), "--port", "0", "--until-stdin-closes"]
    log = data / "up.log"
    alone = {**os.environ, "GANYMEDE_API_KEYS_REQUIRED": "false"}  # its stack is on loopback, and gone afterwards
    with log.open("wb") as said:
        stack = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, env=alone, process_group=0
        )
    try:
        with Client(address_of(stack, log)) as client:
            yield client
    finally:
        end(stack)


def clear(data: Path) -> None:
    """Empty the folder of an earlier demo. Raises StackError for a folder that no demo made."""
    old = [path for path in data.iterdir() if path.name != LOCK]
    if old and not (data / MARK).exists():
        raise StackError(f"{data} holds something else than a demo's data; give another --out", 2)
    for path in old:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (data / MARK).touch()


def address_of(stack: "subprocess.Popen[bytes]", log: Path) -> str:
    """The URL that the stack prints once it is ready. Raises StackError with its last words if it ends instead."""
    tell("starting the service and its workers")
    assert stack.stdout is not None
    line = stack.stdout.readline().decode()
    if not line:
        said = log.read_text(errors="replace").strip().splitlines()
        raise StackError(said[-1].removeprefix("ganymede: ") if said else "the stack ended without a word")
    return line.split()[-1]


def end(stack: "subprocess.Popen[bytes]") -> None:
    """End the stack in order; its pipes close whatever happens, which ends it too."""
    with stack:
        stack.send_signal(signal.SIGTERM)
        try:
            stack.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            stack.kill()


# ---- the steps ------------------------------------------------------------------------------------------------------


def digits() -> "tuple[NDArray[np.float64], NDArray[np.int64]]":
    """The scans, (1797, 64) with values 0..16, and what they show."""
    from sklearn.datasets import load_digits

    scans, shown = load_digits(return_X_y=True)
    return scans, shown


def pack_digits(archive: Path, scans: "NDArray[np.float64]", shown: "NDArray[np.int64]") -> Path:
    """Scans (N, 64) as PNGs in class folders, in a zip."""
    from PIL import Image

    pixels = (scans * (255 / SHADES)).round().astype("uint8").reshape(-1, 8, 8)
    with zipfile.ZipFile(archive, "w") as target:
        for index, (image, digit) in enumerate(zip(pixels, shown, strict=True)):
            encoded = BytesIO()
            Image.fromarray(image).save(encoded, "PNG")
            target.writestr(f"{digit}/{index:04}.png", encoded.getvalue())
    return archive


def upload(client: Client, archive: Path) -> None:
    """Upload the archive and wait until it is prepared."""
    with upload_bar(f"uploading {archive.name}") as progress:
        dataset = client.datasets.upload(archive, NAME, progress=progress)
    dataset = client.datasets.wait(dataset.id)
    tell(f"uploaded {dataset.count:,} images, {shape(dataset)}, in {len(dataset.classes or [])} classes")


def train_request(seconds: float) -> dict[str, Any]:
    """What is asked for; all else is chosen by the server."""
    return {"type": "train", "dataset": NAME, "model": NAME, "recipe": "r3gan", "seed": 0, "max_seconds": seconds}


def train(client: Client, request: dict[str, Any]) -> None:
    """Train, with a progress bar."""
    job = client.jobs.create(request)
    with job_bar("training") as progress:
        client.jobs.wait(job.id, progress=progress)


def pictures(out: Path) -> list[Call]:
    """The requests that make the demo's files."""
    hundred = {
        "model": NAME,
        "seed": GRID_SEED,
        "count": CLASSES * 10,
        "labels": [digit for digit in range(CLASSES) for _ in range(10)],
    }
    stops = [{"seed": seed, "label": digit} for seed, digit in WALK]
    walk = {"model": NAME, "keyframes": stops, "size": PIXELS}
    return [
        Call("/v1/samples", hundred | {"columns": 10, "size": PIXELS}, out / "samples.png"),
        Call("/v1/interpolations", walk | {"frames": 26}, out / "interpolation.png"),
        Call(
            "/v1/interpolations",
            walk | {"frames": 90, "loop": True, "layout": "animation"},
            out / "interpolation.gif",
        ),
        Call("/v1/samples", hundred | {"return": ["latent"]}, out / "latents.npy"),
    ]


def draw(client: Client, call: Call) -> None:
    """Make one file."""
    drawings = {"/v1/samples": client.samples, "/v1/interpolations": client.interpolations}[call.path]
    drawings.save(call.body, call.out)


# ---- the figures ----------------------------------------------------------------------------------------------------


def generated(client: Client, model: str = NAME) -> "tuple[NDArray[np.float64], NDArray[np.int64]]":
    """`EACH` digits of each class, (2000, 64) on the scans' own scale 0..16, and the digits that were asked for."""
    import numpy as np

    drawn = []
    for digit in range(CLASSES):
        request = {"model": model, "seed": FIGURE_SEED + digit * EACH, "count": EACH, "labels": [digit]}
        answered = client.samples.create(request | {"return": ["image"]}, "application/x-npy")
        drawn.append(np.load(BytesIO(answered.content)).reshape(EACH, 64))
    return np.concatenate(drawn) * (SHADES / 255), np.repeat(np.arange(CLASSES), EACH)


def measure(client: Client) -> Figures:
    """Draw 2,000 digits and put both questions."""
    tell(f"drawing {CLASSES * EACH:,} digits and asking classifiers about them")
    return judge(*generated(client), *digits())


def judge(
    drawn: "NDArray[np.float64]", asked: "NDArray[np.int64]", scans: "NDArray[np.float64]", shown: "NDArray[np.int64]"
) -> Figures:
    """The figures of generated digits (N, 64) and what was asked, against real ones; both with values 0..16."""
    from sklearn.model_selection import train_test_split
    from sklearn.svm import SVC

    seen, unseen, seen_as, unseen_as = train_test_split(scans, shown, test_size=0.3, random_state=0, stratify=shown)
    of_real = SVC(gamma=0.001).fit(seen, seen_as)
    right = of_real.predict(drawn) == asked
    shares = [(digit, float(right[asked == digit].mean())) for digit in range(CLASSES)]
    return Figures(
        agreement=float(right.mean()),
        worst=min(shares, key=lambda share: share[1]),
        baseline=float(of_real.score(unseen, unseen_as)),
        accuracy=float(SVC(gamma=0.001).fit(drawn, asked).score(scans, shown)),
    )


# ---- what is said at the end ----------------------------------------------------------------------------------------


def report(archive: Path, request: dict[str, Any], calls: list[Call], figures: Figures, data: Path) -> Iterator[str]:
    """Where everything is, how to ask for it again, and the figures."""
    digit, share = figures.worst
    yield ""
    for call in calls:
        yield f"  {shown(call.out)}"
    yield ""
    yield f"{figures.agreement:.1%} of {CLASSES * EACH:,} generated digits are recognised as what was asked for (worst:"
    yield f"      {share:.1%} of the {digit}s), by a classifier of real digits, itself right in {figures.baseline:.1%}"
    yield f"{figures.accuracy:.1%} of the real digits are recognised by a classifier that has seen only generated ones"
    yield ""
    command = shown(Path(sys.executable).with_name("ganymede"))
    yield f"The same requests, in {shown(archive.parent)}. Those that draw work as they are once"
    yield f"`{command} up --data {shown(data)}` serves the model; to upload and train there,"
    yield f"give other names. The next demo begins by emptying {shown(data)}."
    yield ""
    yield f"  curl {DEFAULT_URL}/v1/datasets -F name={NAME} -F file=@{archive.name}"
    yield f"  {posting(f'{DEFAULT_URL}/v1/jobs', request)}"
    for call in calls:
        yield f"  {call.curl(DEFAULT_URL)}"


def posting(url: str, body: dict[str, Any]) -> str:
    """A curl line that posts JSON."""
    return f"curl {url} -H 'Content-Type: application/json' -d {shlex.quote(json.dumps(body, separators=(',', ':')))}"


def shown(path: Path) -> str:
    """A path as short as can be from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
