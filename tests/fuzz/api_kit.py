"""A service with something in it, a worker that ends whatever it is given, and requests made by the document."""

import copy
import re
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zlib import crc32

import numpy as np
import requests
import schemathesis
import torch
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis.errors import FlakyStrategyDefinition, Unsatisfiable
from sampling_kit import publish
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from seeded import IMAGES, POINTS, network
from service_kit import LEASE, Running, png, serving, settings_in

from gan.errors import GanymedeError
from ledger.records import Job

CHECKS = [status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance]
MODELS = ("pets", "ring", "pairs", "plain")
DATASETS = ("images", "points")
JOBS_KEPT = 20
TIMEOUT = 60.0
WALKS = 5
LONGEST_QUERY = 60_000
"""Bytes: the HTTP server refuses longer addresses itself, with a 400 of its own."""

SMALL = {
    "max_samples": 64,
    "max_frames": 24,
    "max_pixels_per_request": 2**20,
    "max_json_bytes": 2**20,
    "max_upload_bytes": 2**22,
}
"""Limits within which a request takes milliseconds."""


@contextmanager
def furnished(folder: Path) -> Iterator[Running]:
    """A service with datasets, models and jobs; what is deleted comes back, and jobs are run, all of it soon."""
    (folder / "import/faces").mkdir(parents=True)
    with serving(settings_in(folder / "data", import_dir=folder / "import", service_threads=1, **SMALL)) as running:
        worker = Worker(running)
        worker.furnish()
        worker.thread.start()
        try:
            yield running
        finally:
            worker.ending.set()
            worker.thread.join(30)
            assert worker.failure is None, worker.failure


class Worker:
    """Does to jobs what may happen to them: every other one succeeds, with a checkpoint and a preview."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._work)
        self.failure: Exception | None = None
        self._count = 0

    def furnish(self) -> None:
        """Whatever is missing of the datasets and models is made again."""
        running = self.running
        makers: dict[str, Any] = {
            "pets": lambda: publish(running, "pets", network("plain", IMAGES, "class", 2), 10, ("cat", "dog"), (1, 3)),
            "ring": lambda: publish(running, "ring", network("mlp", POINTS, "vector", 2), 10, conditions=torch.eye(2)),
            "pairs": lambda: publish(
                running, "pairs", network("unet", IMAGES, "image", 1), 10, conditions=torch.zeros(3, 1, 8, 8)
            ),
            "plain": lambda: publish(running, "plain", network("dcgan"), 10),
        }
        for name, make in makers.items():
            if not running.models.exists(name):
                make()
        for name, prepare in (("images", running.images), ("points", lambda name: running.points(name, None))):
            if not running.datasets.exists(name):
                prepare(name)

    def _work(self) -> None:
        try:
            while not self.ending.wait(0.05):
                with suppress(GanymedeError):  # what the fuzzer deletes or cancels meanwhile
                    for queue in ("light", "train"):
                        self._answer(self.running.jobs.claim(queue, "wrk_fuzz", LEASE, host="here"))
        except Exception as error:  # the test says so at its end
            self.failure = error

    def _answer(self, job: Job | None) -> None:
        if job is None:
            return
        running, good = self.running, self._count % 2 == 0
        self._count += 1
        running.jobs.started(job.id, job.epoch, "cpu")
        if job.type == "train":
            running.jobs.add_metrics(job.id, job.epoch, 100, {"loss": 0.5, "w": None})
            running.preview(job, 100, 7)
            running.checkpoint(job, 100)
        ends = good and job.type == "train"
        error = None if ends else {"code": "internal", "message": "the fuzzer's worker does not do this"}
        running.jobs.finish(job.id, job.epoch, "succeeded" if ends else "failed", ended_by="images", error=error)


# ---- requests by the document ----


class Fuzz:
    """Makes requests, and keeps what was wrong with the answers, once a kind."""

    def __init__(self, running: Running, number: int = 0) -> None:
        self.running, self.number = running, number
        self.statuses: Counter[int] = Counter()
        self.by_call: Counter[str] = Counter()
        self.findings: dict[tuple[str, ...], str] = {}
        self.session = requests.Session()
        document = running.http.get("/openapi.json").json()
        self.schema = schemathesis.openapi.from_dict(document)
        self.schema.config.update(base_url=running.url)
        self.documented = {
            item["operationId"]: {int(status) for status in item["responses"] if status.isdecimal()}
            for path in document["paths"].values()
            for item in path.values()
        }

    @property
    def requests(self) -> int:
        return self.statuses.total()

    def every_call(self, examples: int) -> None:
        """So many requests of each call as the document has it, and as many that go against it."""
        for found in self.schema.get_all_operations():
            operation = found.ok()
            for mode in schemathesis.GenerationMode:
                self._examples(operation, mode, examples)

    def _examples(self, operation: Any, mode: Any, examples: int) -> None:
        @seed(self.number)
        @settings(settings_for(examples))
        @given(operation.as_strategy(generation_mode=mode))
        def run(case: Any) -> None:
            lead_somewhere(self.running, case)
            assume(len(urlencode(case.query or {}, doseq=True)) < LONGEST_QUERY)
            self.answer(case, case.call(session=self.session, timeout=TIMEOUT))

        with suppress(Unsatisfiable):  # a call without parameters cannot be made wrongly
            run()

    def walks(self, steps: int) -> None:
        """A few walks along the links of the document. Where they lead depends on what is there, which Hypothesis minds
        where it would repeat one: then there is another."""
        fuzz = self

        @seed(self.number)
        class Walk(self.schema.as_state_machine()):  # type: ignore[misc]
            def before_call(self, case: Any) -> None:
                tell(fuzz.running, case)

            def get_call_kwargs(self, case: Any) -> dict[str, Any]:
                return {"session": fuzz.session, "timeout": TIMEOUT}

            def validate_response(self, response: Response, case: Any, *_: Any, **__: Any) -> None:
                fuzz.answer(case, response)

        with suppress(FlakyStrategyDefinition):
            Walk.run(settings=settings(settings_for(WALKS), stateful_step_count=steps))

    def until(self, requests: int, examples: int, steps: int) -> None:
        """Calls and walks in turn, each time others, until there were so many requests."""
        while self.requests < requests:
            self.every_call(examples)
            calls = self.requests
            while self.requests < min(requests, 2 * calls):
                self.walks(steps)
                self.number += 1

    def answer(self, case: Any, response: Response) -> None:
        """Judge an answer."""
        self.statuses[response.status_code] += 1
        self.by_call[case.operation.label] += 1
        wrong = list(self._wrong(case, response))
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            wrong += [f"{type(one).__name__}: {one.title} {one.message}" for one in group.exceptions]
        for reason in wrong:
            kind = (case.operation.label, str(response.status_code), re.sub(r"\d+", "#", reason)[:80])
            self.findings.setdefault(kind, f"{reason}\n{case.as_curl_command()[:700]}\n{response.text[:600]}")

    def _wrong(self, case: Any, response: Response) -> Iterator[str]:
        status, headers = response.status_code, response.headers
        if status >= 500 and status != 503:
            yield "a server error"
        if status not in self.documented[case.operation.definition.raw["operationId"]] | {405}:
            yield "a status that the call does not document"
        if status == 503 and not headers.get("retry-after"):
            yield "503 without Retry-After"
        if headers.get("x-content-type-options") != ["nosniff"] or not headers.get("x-request-id"):
            yield "headers that every answer has are missing"
        if status >= 400 and headers.get("content-type") != ["application/problem+json"]:
            yield "an error that is no problem document"

    def report(self) -> str:
        """The findings, and how many requests there were."""
        said = [f"{' '.join(kind)}\n{what}" for kind, what in self.findings.items()]
        counts = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        return "\n\n".join([*said, f"{self.requests} requests ({counts}), {len(self.findings)} findings"])


def settings_for(examples: int) -> settings:
    """Of a run that is the same every time, looks for no smaller example, and may take its time."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


# ---- values that lead somewhere ----


def lead_somewhere(running: Running, case: Any) -> None:
    """Three in four paths speak of things that are there; nothing is deleted that way."""
    if case.method != "DELETE":
        speak_of(case.path_parameters, values(running), draw_for(case))
    tell(running, case)


def tell(running: Running, case: Any) -> None:
    """One in three bodies is an example of the document; three in four fields that name something do."""
    draw = draw_for(case)
    examples = bodies(case)
    if examples and draw.random() < 0.33:
        case.body = copy.deepcopy(examples[draw.integers(len(examples))])
    speak_of(case.body, values(running) | new(case, draw), draw)


def bodies(case: Any) -> list[Any]:
    """The examples of a JSON body."""
    content = case.operation.definition.raw.get("requestBody", {}).get("content", {})
    if case.media_type != "application/json":
        return []
    return [one["value"] for one in content.get("application/json", {}).get("examples", {}).values()]


def new(case: Any, draw: np.random.Generator) -> dict[str, list[Any]]:
    """What a call gives a name to: a name that nobody has."""
    field = NAMES.get(case.operation.definition.raw["operationId"])
    return {field: [f"fuzz-{draw.integers(2**60)}"]} if field else {}


NAMES = {"create_job": "model", "create_dataset": "name", "create_model": "name"}


def speak_of(said: Any, known: dict[str, list[Any]], draw: np.random.Generator) -> None:
    """Put names into fields that name something."""
    for name in sorted(set(said) & set(known)) if isinstance(said, dict) else ():
        if draw.random() < 0.75:
            said[name] = known[name][draw.integers(len(known[name]))]


def draw_for(case: Any) -> np.random.Generator:
    """The same for the same request."""
    return np.random.default_rng(crc32(repr((case.path_parameters, case.query, case.body)).encode()))


def values(running: Running) -> dict[str, list[Any]]:
    """Field or parameter → values that name something."""
    jobs = [job.id for job in running.jobs.list(limit=JOBS_KEPT).data]
    return {
        "model": [*MODELS, "pets@best", "pets@10", "ckpt_pets10"],
        "dataset": [*DATASETS],
        "job": jobs or ["job_none"],
        "checkpoint": ["10", "best", "ckpt_pets10"],
        "seed": ["0", "7", str(2**63 - 1)],
        "extension": ["png", "webp", "jpg"],
        "source": [{"path": "faces"}],
        "images": [[PICTURE], [PICTURE, PICTURE]],
        "inputs": [[PICTURE]],
        "condition": [[0.5, 1.0]],
        "points": [[[0.5, 1.0]]],
        "labels": [["cat"], [1]],
    }


PICTURE = b64encode(png()).decode()
