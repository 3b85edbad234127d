"""A service with something in it, a worker that ends whatever it is given, and requests made by the document."""

import copy
import re
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlencode
from zlib import crc32

import numpy as np
import requests
import schemathesis
import torch
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis.errors import FlakyStrategyDefinition, Unsatisfiable
from sampling_kit import publish
from schemathesis.core import NOT_SET
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from seeded import IMAGES, POINTS, network
from service_kit import LEASE, Running, archive, png, serving, settings_in

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
    """A service with datasets and models, and something that runs its jobs."""
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
        """Models of all kinds, and a dataset of each."""
        running = self.running
        publish(running, "pets", network("plain", IMAGES, "class", 2), 10, ("cat", "dog"), (1, 3))
        publish(running, "ring", network("mlp", POINTS, "vector", 2), 10, conditions=torch.eye(2))
        publish(running, "pairs", network("unet", IMAGES, "image", 1), 10, conditions=torch.zeros(3, 1, 8, 8))
        publish(running, "plain", network("dcgan"), 10)
        running.images("images")
        running.points("points", None)

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
                lead_somewhere(fuzz.running, case)

            def get_call_kwargs(self, case: Any) -> dict[str, Any]:
                return {"session": fuzz.session, "timeout": TIMEOUT}

            def validate_response(self, response: Response, case: Any, *_: Any, **__: Any) -> None:
                fuzz.answer(case, response)

        with suppress(FlakyStrategyDefinition):
            Walk.run(settings=settings(settings_for(WALKS), stateful_step_count=steps))

    def broken_bodies(self) -> None:
        """To each call that takes JSON what is none."""
        for found in self.schema.get_all_operations():
            operation = found.ok()
            if "application/json" not in operation.get_request_payload_content_types():
                continue
            for content in BROKEN:
                case = operation.Case(path_parameters=dict.fromkeys(NAMED.findall(operation.path), "nobody"))
                headers, url = {"Content-Type": "application/json"}, self.running.url + case.formatted_path
                answer = self.session.request(case.method, url, data=content, headers=headers, timeout=TIMEOUT)
                self.answer(case, Response.from_requests(answer, verify=False))

    def uploads(self, count: int) -> None:
        """So many forms, good and bad, to each call that takes a file."""
        good = {"create_dataset": FILES["create_dataset"], "create_model": (("pets.safetensors", self._checkpoint()),)}
        for path, call in (("/v1/datasets", "create_dataset"), ("/v1/models", "create_model")):
            operation, draw = self.schema[path]["POST"], Random(self.number)
            for _ in range(count):
                fields, files = form(call, good[call], draw)
                answer = self.session.post(self.running.url + path, data=fields, files=files or None, timeout=TIMEOUT)
                case = operation.Case(body=NOT_SET, media_type="multipart/form-data")
                self.answer(case, Response.from_requests(answer, verify=False))

    def _checkpoint(self) -> bytes:
        return self.running.http.get("/v1/models/pets/checkpoints/10/download").content

    def until(self, requests: int, examples: int, steps: int) -> None:
        """Calls and walks in turn, each time others, until there were so many requests."""
        while self.requests < requests:
            self.every_call(examples)
            self.broken_bodies()
            self.uploads(examples)
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

OURS = re.compile(r"(job|ds|mdl|ckpt)_")
NAMED = re.compile(r"{(\w+)}")
"""A parameter in a path."""
BROKEN = (b'{"model": ', b"\xa5", b"", b"[" * 10_000)
"""Bodies that are no JSON."""
NAMES = {"create_job": "model", "create_estimate": "model", "create_dataset": "name", "create_model": "name"}
"""Call → the field of its body that gives something new a name."""
PICTURE = b64encode(png()).decode()


def lead_somewhere(running: Running, case: Any) -> None:
    """Three in four paths and fields speak of things that are there; one in three bodies is an example of
    the document. What the service was furnished with is not deleted."""
    draw = np.random.default_rng(crc32(repr((case.path_parameters, case.query, case.body)).encode()))
    if case.method != "DELETE":
        speak_of(case.path_parameters, in_paths(running), draw)
    elif is_furniture(running, case.path_parameters):
        case.path_parameters = dict.fromkeys(case.path_parameters, "nobody")
    examples = bodies(case)
    if examples and draw.random() < 0.33:
        case.body = copy.deepcopy(examples[draw.integers(len(examples))])
    fresh = NAMES.get(case.operation.definition.raw["operationId"])
    told = {fresh: [f"fuzz-{draw.integers(2**60)}"]} if fresh and not is_evaluation(case.body) else {}
    speak_of(case.body, in_bodies() | told, draw)


def is_furniture(running: Running, said: dict[str, str]) -> bool:
    """Whether a path names a model or dataset that was there from the beginning."""
    kept = {*MODELS, *DATASETS, *(f"mdl_{name}" for name in MODELS)}
    return bool(kept & {*said.values()}) or any(running.datasets.get(name).id in said.values() for name in DATASETS)


def is_evaluation(body: Any) -> bool:
    """Of a model that is there."""
    return isinstance(body, dict) and body.get("type") == "evaluate"


def bodies(case: Any) -> list[Any]:
    """The examples of a JSON body."""
    content = case.operation.definition.raw.get("requestBody", {}).get("content", {})
    if case.media_type != "application/json":
        return []
    return [one["value"] for one in content.get("application/json", {}).get("examples", {}).values()]


def speak_of(said: Any, known: dict[str, list[Any]], draw: np.random.Generator) -> None:
    """Put values that mean something into fields, but for those that a link put there."""
    for name in sorted(set(said) & set(known)) if isinstance(said, dict) else ():
        if draw.random() < 0.75 and not OURS.match(str(said[name])):
            said[name] = known[name][draw.integers(len(known[name]))]


def in_paths(running: Running) -> dict[str, list[Any]]:
    """Parameter → values that name something."""
    jobs = [job.id for job in running.jobs.list(limit=JOBS_KEPT).data]
    return {
        "model": [*MODELS, "pets@best", "pets@10", "ckpt_pets10"],
        "dataset": [*DATASETS],
        "job": jobs or ["job_none"],
        "checkpoint": ["10", "best", "ckpt_pets10"],
        "seed": ["0", "7", str(2**63 - 1)],
        "extension": ["png", "webp", "jpg"],
    }


def in_bodies() -> dict[str, list[Any]]:
    """Field → values that mean something."""
    return {
        "model": [*MODELS, "pets@best", "ckpt_pets10"],
        "dataset": [*DATASETS],
        "against": [*DATASETS],
        "source": [{"path": "faces"}],
        "images": [[PICTURE], [PICTURE, PICTURE]],
        "inputs": [[PICTURE]],
        "condition": [[0.5, 1.0]],
        "points": [[[0.5, 1.0]]],
        "labels": [["cat"], [1]],
    }


# ---- forms ----

FILES: dict[str, tuple[tuple[str, bytes], ...]] = {
    "create_dataset": (("a.csv", b"x,y\n1,2\n"), ("a.zip", archive(**{"a.png": png()})), ("a.npy", b"\x93NUMPY")),
    "create_model": (("a.safetensors", b""), ("b.safetensors", b"\x08" + bytes(15))),
}


class Form(NamedTuple):
    """What is sent as an upload."""

    fields: list[tuple[str, str]]
    files: list[tuple[str, tuple[str, bytes]]]


def form(call: str, good: tuple[tuple[str, bytes], ...], draw: Random) -> Form:
    """A form: one in three is good, the others may lack a part, have one too many, or one that makes no sense."""
    new = f"fuzz-{draw.getrandbits(60)}"
    if good and draw.random() < 0.33:
        return Form([("name", new)], [("file", draw.choice(good))])
    name = draw.choice((new, new, "images", "", "\x00", "ds_1", "é" * 500))
    odd = [("width", draw.choice(("16", "0", "-1", "1e3", "x"))), ("height", "24"), ("other", "1"), ("name", "twice")]
    fields = [("name", name), *(draw.sample(odd, draw.choice((0, 0, 0, 1, 2))))]
    file = draw.choice((*FILES[call], *good))
    named = draw.choice((file[0], file[0], file[0], "a.exe", "", "../a.zip", "a.zip.csv"))
    content = draw.choice((file[1], file[1], file[1][:-3], b"", file[1] * 3))
    return Form(fields, [("file", (named, content))] * draw.choice((1, 1, 1, 1, 0, 2)))
