"""What a job says of itself before it starts and after it ended, and memory that cannot suffice."""

from collections.abc import Callable
from typing import Any

from service_kit import Running

Check = Callable[..., dict[str, Any]]
MEASURED = {"peak_memory_bytes": 5 * 10**8, "changes": []}


def ended(service: Running, model: str, images_per_second: float, seconds: float) -> None:
    """A training that was measured."""
    service.quiet()
    job = service.running(model)
    paced = {"seconds": seconds, "images_per_second": images_per_second}
    service.jobs.measured(job.id, job.epoch, MEASURED | paced)
    service.jobs.finish(job.id, job.epoch, "succeeded", ended_by="images")


def test_a_job_says_what_it_will_take_before_it_starts_and_after_what_it_took(service: Running) -> None:
    created = service.queued("estimated", images=5000)
    estimate = created["estimate"]
    assert estimate["basis"] in {"counted", "measured_jobs"}
    assert 0.2 < estimate["seconds"] < 20
    assert 2**28 < estimate["memory_bytes"] < 2**31
    assert estimate["checkpoint_bytes"] > 10**5
    assert created["measured"] is None
    service.quiet()
    job = service.running("measured", images=5000)
    service.jobs.estimated(job.id, job.epoch, {"seconds": 12.5, "memory_bytes": None})
    seen = service.http.get(f"/v1/jobs/{job.id}").json()
    assert seen["estimate"] == estimate | {"seconds": 12.5, "basis": "measured"}
    for peak in (2 * 10**8, 10**8):
        figures = {"seconds": 11.0, "peak_memory_bytes": peak, "images_per_second": 454.5, "changes": []}
        service.jobs.measured(job.id, job.epoch, figures)
    service.jobs.finish(job.id, job.epoch, "succeeded", ended_by="images")
    seen = service.http.get(f"/v1/jobs/{job.id}").json()
    assert seen["measured"] == figures | {"peak_memory_bytes": 2 * 10**8}, "the most of all its holders"


def test_an_estimate_follows_the_pace_of_such_jobs_here(service: Running) -> None:
    """Ten times slower than counted is what the next estimate says; a job of a moment does not count."""
    ended(service, "moment", images_per_second=0.001, seconds=1.0)
    service.quiet()
    first = service.queued("before", images=5000)["estimate"]
    for number in range(5):
        ended(service, f"slow{number}", images_per_second=100.0, seconds=60.0)
    service.quiet()
    later = service.queued("after", images=5000)["estimate"]
    assert later["basis"] == "measured_jobs"
    assert abs(later["seconds"] - 50.0) < 1.0
    assert later["memory_bytes"] == first["memory_bytes"]


def test_memory_that_cannot_suffice_is_refused_before_the_job_is_queued(service: Running, is_problem: Check) -> None:
    service.images("squares", count=4000, shape=(64, 64, 3))
    too_much = {"recipe": "dcgan", "batch_size": 4000, "network": {"width": 256}}
    worker = service.workers.register("train", "cpu, 2000 MiB", host="here", pid=1, started=1.0)
    try:
        before = service.jobs.waiting("train")
        problem = is_problem(service.train("squares", "m1", **too_much), 422, "invalid_request", "batch_size")
        assert "2000" not in problem["detail"]
        assert "1.95 GiB" in problem["detail"]
        assert "may fit" in problem["detail"]
        wide = {"recipe": "dcgan", "network": {"width": 1024}}
        is_problem(service.train("squares", "m2", **wide), 422, "invalid_request", "network.width")
        assert service.jobs.waiting("train") == before
        assert service.train("squares", "m3", recipe="dcgan").status_code == 202
    finally:
        service.workers.forget(worker)
    assert service.train("squares", "m4", **too_much).status_code == 202, "nobody knows how much memory there is"


def test_contradictions_and_what_no_data_can_bear_are_refused_by_field_with_a_remedy(
    service: Running, is_problem: Check
) -> None:
    """Before anything is queued."""
    service.images("pair", count=40)
    service.points("unlabelled", None)
    before = service.jobs.waiting("train")
    for dataset, request, field in (
        ("pair", {"recipe": "sngan", "clip": 0.01}, "clip"),
        ("pair", {"recipe": "wgan", "lipschitz": "spectral_norm", "clip": 0.1}, "clip"),
        ("pair", {"recipe": "sngan", "gradient_penalty": 10.0}, "gradient_penalty"),
        ("pair", {"r1": -0.5}, "r1"),
        ("pair", {"r2": -1.0}, "r2"),
        ("pair", {"batch_size": 41}, "batch_size"),
        ("unlabelled", {"conditional": True}, "conditional"),
        ("unlabelled", {"network": {"architecture": "r3"}}, "network.architecture"),
    ):
        answer = service.train(dataset, "never", **request)
        problem = is_problem(answer, 422)
        assert field in str(problem.get("param")) + str(problem["errors"]), (request, problem)
        assert len(problem["detail"]) > 10
    assert service.jobs.waiting("train") == before
