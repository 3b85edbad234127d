"""The doorbell: Celery's name, queues and settings, and `ring()`.

A message says only that there may be work; SQL says which. So a bell may be lost or doubled, is published from a
background thread with short timeouts and without retries, and is dropped when the broker is away.
"""

import contextlib
import logging
import queue
import threading
import time
from typing import Any, Literal

from celery import Celery
from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.exceptions import OperationalError

from ledger.settings import Settings

APP = "ganymede"
TASK = "ganymede.answer"
"""The one task; its keyword arguments are `queue` and `job` (a hint for the log)."""

BELLS = ("train", "light")
PENDING = 1024
"""Bells waiting to be published; beyond it they are dropped."""

CONNECT_SECONDS = 1.0
FRESH_SECONDS = 3.0
"""How long an answer about the broker's state holds."""

PATIENCE_SECONDS = 0.5
"""How long `broker_state` waits for a new answer."""

FIRST_PATIENCE_SECONDS = 2.0
"""How long it waits for the very first one: the client library must be loaded for it."""

NEVER = float("-inf")
POLLING_SECONDS = 0.1
"""How often the in-memory transport looks for messages."""

BrokerState = Literal["ok", "degraded", "embedded"]
_log = logging.getLogger("ganymede.doorbell")


def make_app(settings: Settings) -> Celery:
    """The Celery app that both ends share. The worker adds the task named `TASK` and its pool."""
    app = Celery(APP, broker=settings.broker_url, set_as_current=False)
    app.conf.update(_configuration(settings))
    return app


def queues() -> list[Queue]:
    """A direct queue for each kind of bell."""
    exchange = Exchange(APP, type="direct")
    return [Queue(name, exchange, routing_key=name) for name in BELLS]


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "accept_content": ["json"],
        "broker_connection_max_retries": None,
        "broker_connection_retry": True,
        "broker_connection_retry_on_startup": True,
        "broker_connection_timeout": CONNECT_SECONDS,
        "broker_transport_options": _transport(settings),
        "enable_utc": True,
        "event_serializer": "json",
        "result_accept_content": ["json"],
        "result_serializer": "json",
        "task_acks_late": False,
        "task_default_exchange": APP,
        "task_default_queue": "light",
        "task_default_routing_key": "light",
        "task_ignore_result": True,
        "task_publish_retry": False,
        "task_queues": queues(),
        "task_reject_on_worker_lost": False,
        "task_serializer": "json",
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # Celery refuses this option, with a warning, on every transport but Redis
        "worker_disable_prefetch": not settings.embedded,
        "worker_enable_remote_control": False,
        "worker_hijack_root_logger": False,
        "worker_pool": "threads",
        "worker_prefetch_multiplier": 1,
        "worker_redirect_stdouts": False,
        "worker_send_task_events": False,
    }


def _transport(settings: Settings) -> dict[str, Any]:
    if settings.embedded:
        return {"polling_interval": POLLING_SECONDS}
    return {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": 5.0, "socket_keepalive": True}


class Doorbell:
    """Rings bells without ever delaying or failing its caller.

    With `memory://` each process has a broker of its own: `ring` reaches a worker only in the same process
    (`own_process=True`, in workers) and does nothing elsewhere; workers then poll the ledger.
    """

    def __init__(self, settings: Settings, *, own_process: bool = False, app: Celery | None = None) -> None:
        self._app = app or make_app(settings)
        self._embedded = settings.embedded
        self._silent = settings.embedded and not own_process
        self._bells: queue.Queue[tuple[str, str | None] | None] = queue.Queue(PENDING)
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._answered = threading.Condition()
        self._answer: tuple[float, bool] = (NEVER, False)
        self._patience = FIRST_PATIENCE_SECONDS

    def ring(self, queue: str, job: str | None = None) -> None:
        """Say that there may be work. Returns at once, raises nothing; a bell that cannot be published is dropped."""
        assert queue in BELLS, queue
        if not self._silent:
            self._put((queue, job))

    def broker_state(self) -> BrokerState:
        """`embedded`, or whether the broker answered in the last seconds. Waits half a second at most; first, two."""
        if self._embedded:
            return "embedded"
        with self._answered:
            if time.monotonic() - self._answer[0] > FRESH_SECONDS:
                self._put(None)
                self._answered.wait(self._patience)
                self._patience = PATIENCE_SECONDS
            since, good = self._answer
        return "ok" if good and time.monotonic() - since <= FRESH_SECONDS + PATIENCE_SECONDS else "degraded"

    def _put(self, bell: tuple[str, str | None] | None) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._publish, name="doorbell", daemon=True)
                self._thread.start()
        with contextlib.suppress(queue.Full):
            self._bells.put_nowait(bell)

    def _publish(self) -> None:
        """The thread: publish what waits; after a failure let all that waited go."""
        while True:
            bell = self._bells.get()
            good = self._reach(bell)
            if not good:
                _drain(self._bells)
            with self._answered:
                self._answer = (time.monotonic(), good)
                self._answered.notify_all()

    def _reach(self, bell: tuple[str, str | None] | None) -> bool:
        """Publish one bell (None: only ask whether the broker answers); True if the broker took it."""
        if self._connection is None:
            self._connection = self._app.connection_for_write()
        connection = self._connection
        try:
            connection.ensure_connection(max_retries=0)  # by itself, a channel would try again after two seconds
            if bell is None:
                queues()[0].bind(connection.default_channel).declare()
            else:
                self._send(connection, *bell)
        except (*connection.connection_errors, *connection.channel_errors, OperationalError, OSError) as error:
            self._give_up(connection, error)
            return False
        return True

    def _give_up(self, connection: Connection, error: Exception) -> None:
        """Let the connection go, and say so once an outage."""
        connection.collect()
        self._connection = None
        if self._answer[1] or self._answer[0] == NEVER:
            _log.warning("the broker does not answer, bells are not rung: %s", error)

    def _send(self, connection: Connection, queue: str, job: str | None) -> None:
        with self._app.amqp.Producer(connection, auto_declare=False) as producer:
            self._app.send_task(TASK, kwargs={"queue": queue, "job": job}, queue=queue, producer=producer, retry=False)


def _drain(bells: "queue.Queue[tuple[str, str | None] | None]") -> None:
    with contextlib.suppress(queue.Empty):
        while True:
            bells.get_nowait()
