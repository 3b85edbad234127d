"""What is new about watched jobs: every event and row once, whatever is written meanwhile, in few queries."""

from ledger_making import Maker
from sqlalchemy import event as sqlalchemy_event

from ledger.database import Ledger
from ledger.following import Following, Mark
from ledger.jobs import Jobs
from ledger.records import MetricsRow


def test_a_story_has_the_newest_events_and_says_whether_they_are_all(ledger: Ledger, jobs: Jobs, make: Maker) -> None:
    job = make.held()
    for n in range(5):
        jobs.note(job.id, job.epoch, "warning", {"n": n})
    other = jobs.create("evaluate", {})
    following = Following(ledger)
    number, stories = following.begin([job.id, other.id, "job_none"], 100)
    assert number == jobs.newest_event()
    assert stories[job.id].events == jobs.events_after(job.id)
    assert [event.type for event in stories[other.id].events] == ["job.queued"]
    assert stories["job_none"].events == []
    assert stories[job.id].whole
    _, short = following.begin([job.id], 3)
    assert [event.data["n"] for event in short[job.id].events] == [2, 3, 4]
    assert not short[job.id].whole


def test_news_are_told_once_and_of_watched_jobs_alone(ledger: Ledger, jobs: Jobs, make: Maker) -> None:
    job, other = make.held(), make.held()
    following = Following(ledger)
    number, stories = following.begin([job.id], 100)
    mark = stories[job.id].mark
    for held in (job, other):
        jobs.note(held.id, held.epoch, "warning", {})
        jobs.add_metrics(held.id, held.epoch, 10, {"v": 1.0})
    events, series = following.go_on({job.id: mark}, number, 100)
    assert [(event.job_id, event.type) for event in events] == [(job.id, "warning")]
    assert [(row.images, row.values) for row in series[job.id]] == [(10, {"v": 1.0})]
    mark = mark.beyond(series[job.id])
    assert following.go_on({job.id: mark}, events[-1].number, 100) == ([], {})


def test_rows_that_are_written_anew_are_news(ledger: Ledger, jobs: Jobs, make: Maker) -> None:
    job = make.held()
    for images in (10, 20, 30):
        jobs.add_metrics(job.id, job.epoch, images, {"v": 0.0})
    following = Following(ledger)
    mark = following.begin([job.id], 100)[1][job.id].mark
    for images in (10, 20):  # a recovery went back to fewer images
        jobs.add_metrics(job.id, job.epoch, images, {"v": float(images)})
        _, series = following.go_on({job.id: mark}, 10**6, 100)
        assert [(row.images, row.values) for row in series[job.id]] == [(images, {"v": float(images)})]
        mark = mark.beyond(series[job.id])
    assert following.go_on({job.id: mark}, 10**6, 100)[1] == {}


def test_rows_of_one_moment_are_told_once_each() -> None:
    rows = [MetricsRow(images, {}, created_at) for images, created_at in ((1, 5.0), (2, 5.0), (3, 6.0))]
    mark = Mark().beyond(rows[:1])
    assert [mark.has(row) for row in rows] == [True, False, False]
    mark = mark.beyond(rows[1:2])
    assert [mark.has(row) for row in rows] == [True, True, False]
    mark = mark.beyond(rows[2:])
    assert all(mark.has(row) for row in rows)
    assert not mark.has(MetricsRow(1, {}, 7.0))
    assert not mark.has(MetricsRow(4, {}, 4.0))  # a clock that was set back


def test_more_news_than_are_read_at_once_come_in_order(ledger: Ledger, jobs: Jobs, make: Maker) -> None:
    held = [make.held() for _ in range(3)]
    following = Following(ledger)
    number, stories = following.begin([job.id for job in held], 100)
    for n in range(9):
        job = held[n % 3]
        jobs.note(job.id, job.epoch, "warning", {"n": n})
    marks = {id: story.mark for id, story in stories.items()}
    told: list[int] = []
    while events := following.go_on(marks, number, 4)[0]:
        told += [event.data["n"] for event in events]
        number = events[-1].number
    assert told == list(range(9))


def test_hundreds_of_jobs_are_read_in_a_few_queries(ledger: Ledger, jobs: Jobs) -> None:
    ids = [jobs.create("evaluate", {}).id for _ in range(250)]
    following, asked = Following(ledger), []
    number = jobs.newest_event() - 5

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    sqlalchemy_event.listen(ledger._engine, "before_cursor_execute", count)
    try:
        events, _ = following.go_on(dict.fromkeys(ids, Mark()), number, 1000)
    finally:
        sqlalchemy_event.remove(ledger._engine, "before_cursor_execute", count)
    assert [event.job_id for event in events] == ids[-5:]
    assert len(asked) <= 8
