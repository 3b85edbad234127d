"""The client's error tree: what can go wrong between a caller and a Ganymede server, and what to do about it.

    GanymedeError
    ├── UsageError              a request that this client cannot even send; change the argument that is named
    ├── StackError              the embedded stack could not start or stay up; its log is named
    ├── ServerUnreachable       nothing answers at the URL, or the connection broke; start a server or set GANYMEDE_URL
    ├── NotGanymede             what answers at the URL is no Ganymede server, or one of another age; set GANYMEDE_URL
    │   └── NotStreamed         it tells a job's events in pages alone; ask again now and then (`jobs.watch` does)
    ├── JobFailed               a job or dataset that was waited for ended as `failed`; its error says why
    ├── JobCancelled            a job that was waited for was cancelled
    └── ProblemError            the server refused: the fields of its problem document (RFC 9457)
        ├── BadRequest          400, 405, 422 …: change the field that `param` names
        ├── NotAuthorized       401 and 403: set GANYMEDE_API_KEY to a key that may do this
        ├── NotFound            404: no such dataset, job or model; list what there is
        ├── Conflict            409: wrong state, name taken or in use; wait, rename or cancel first
        │   └── InProgress      409: the same write is being served already; it is sent again until that is answered
        ├── LimitExceeded       413: a body, archive, pixel or count limit, which is named
        ├── TooManyRequests     429: the caller's own quota; wait `retry_after` seconds
        └── ServerError         5xx: a defect or a full disk; the server's log has it under `request_id`
            └── Unavailable     503: draining, its queue full or its database away; wait `retry_after` seconds

Imports nothing, so that naming an error costs nothing.
"""

from typing import Any, ClassVar


class GanymedeError(Exception):
    """Root of the tree. `exit_code` is what the `ganymede` command ends with; `remedy` is what the user can do."""

    exit_code: int = 1
    remedy: ClassVar[str] = ""

    def line(self) -> str:
        """The error as one line for a person: what, where, and what to do."""
        return f"{self}; {self.remedy}" if self.remedy else str(self)


class UsageError(GanymedeError):
    """Raised before anything is sent: an unreadable path, an unknown file type, a malformed `--set`."""

    exit_code = 2


class StackError(GanymedeError):
    """Raised by `ganymede up` and `demo`. `exit_code` is that of the process that ended."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class ServerUnreachable(GanymedeError):
    """Raised when nothing answers, after the retries that a GET is given. `refused`: nothing can have been received."""

    exit_code = 4
    remedy = "start a server with `ganymede up`, or set GANYMEDE_URL to one that runs"

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class NotGanymede(GanymedeError):
    """Raised when an answer is not what the API says."""

    exit_code = 4
    remedy = "set GANYMEDE_URL to a Ganymede server of this version"


class NotStreamed(NotGanymede):
    """Raised where events are not told as they happen."""


class JobFailed(GanymedeError):
    """Raised by `wait` for a job or dataset that ended as `failed`."""


class JobCancelled(GanymedeError):
    """Raised by `wait` for a job that was cancelled."""

    exit_code = 6


class ProblemError(GanymedeError):
    """A refusal, with the fields of its problem document.

    `status` is the HTTP status, `code` stable and machine-readable, `param` the field at fault if one is,
    `errors` a list of `{pointer, message}`, `retry_after` in seconds where the server names it.
    """

    exit_code = 3

    def __init__(self, status: int, document: dict[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.title = str(document.get("title") or "")
        self.detail = str(document.get("detail") or self.title or f"the server answered {status}")
        self.code = str(document.get("code") or "http_error")
        self.param: str | None = document.get("param")
        self.errors: list[dict[str, Any]] = list(document.get("errors") or [])
        self.request_id: str | None = document.get("request_id")
        self.retry_after = retry_after
        super().__init__(self.detail)

    def line(self) -> str:
        """Field, detail, status and code, and what to do: one line."""
        field = f"{self.param}: " if self.param and not self.detail.startswith(self.param) else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{field}{self.detail} ({self.status} {self.code}){remedy}"


class BadRequest(ProblemError):
    """The server understood the call, or not even that, and something in it must change."""


class NotAuthorized(ProblemError):
    """No key, an unknown one, or one without the scope."""

    remedy = "set GANYMEDE_API_KEY to a key that may do this (where the server runs, `ganymede keys create` makes one)"


class NotFound(ProblemError):
    """No such thing, or it was deleted."""

    exit_code = 5
    remedy = "`ganymede datasets list`, `jobs list` and `models list` show what there is"


class Conflict(ProblemError):
    """The thing exists but is in the wrong state, or its name is taken."""


class InProgress(Conflict):
    """The first request with this `Idempotency-Key` has not been answered yet."""


class LimitExceeded(ProblemError):
    """A limit of the server, which the detail names."""


class TooManyRequests(ProblemError):
    """The caller's own quota."""

    exit_code = 4
    remedy = "wait a little and try again"


class ServerError(ProblemError):
    """The server failed; nothing about the request need change."""

    exit_code = 4

    def line(self) -> str:
        """The line of the problem, with the id under which the server's log has the rest."""
        return super().line() + (f" [request {self.request_id}]" if self.request_id else "")


class Unavailable(ServerError):
    """The server cannot answer now."""

    remedy = "try again in a few seconds"


BY_STATUS: dict[int, type[ProblemError]] = {
    401: NotAuthorized,
    403: NotAuthorized,
    404: NotFound,
    409: Conflict,
    413: LimitExceeded,
    429: TooManyRequests,
    503: Unavailable,
}
"""HTTP status → class, where a status has one of its own."""


def problem_class(status: int) -> type[ProblemError]:
    """The class of a refusal: its own row, else `ServerError` from 500 on, else `BadRequest`."""
    return BY_STATUS.get(status, ServerError if status >= 500 else BadRequest)
