"""The error tree: every failure that Ganymede can name, and what to do about it.

GanymedeError
├── InvalidRequest          the caller understood the API but asked for something impossible; change the named field
│   └── MalformedRequest    the body could not be read at all; send valid JSON or multipart
├── Unauthenticated         no API key, or one that is unknown, revoked or expired; send one that holds
├── Forbidden               a key without the scope, or a page of another site; ask for a key that may do this
├── QuotaExceeded           the caller's own quota; try again after `retry_after` seconds
├── NotFound                no such dataset, job, model or checkpoint (or it was deleted); list what there is
├── Conflict                the thing exists but is in the wrong state; wait, rename or cancel first
├── NotAcceptable           no format in `Accept` can be served; pick one from the detail
├── UnsupportedMedia        the body's type is not read here; pick one from the detail
├── LimitExceeded           a body, archive, pixel or count limit; the limit is named
├── Unavailable             the server cannot answer now; try again after `retry_after` seconds
├── ChecksumMismatch        a stored file is not what was written; use another checkpoint, look at the disk
├── LedgerMismatch          the ledger is of another version; run `ganymede migrate`, or the newer Ganymede
├── LostClaim               another worker holds this job now; raised inside a worker, never seen by a caller
└── JobFailure              a job ended; its code says why (raised in the worker's child process)
    ├── OutOfMemory         the device or the machine has too little memory; smaller batch, width or resolution
    ├── Diverged            a loss or weight became NaN or infinite; lower rate, stronger penalty
    ├── WorkerLost          the process died without a word three times; look at the machine's log
    ├── DatasetMissing      the prepared data is gone; upload it again
    ├── DatasetUnusable     an upload holds nothing that can be trained on; the report says what was wrong
    ├── CheckpointCorrupt   a checkpoint's bytes are not those that were written; retry goes on from another
    ├── StorageFull         no space left; free some and retry
    ├── ExtractorUnusable   the file of Inception weights is unreadable or another network's; the setting is named
    └── InternalFailure     a defect of Ganymede; report it with the job's id
"""

from typing import ClassVar


class GanymedeError(Exception):
    """Root of the tree. `code` is stable and machine-readable; `param` names the field to change, if any."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class InvalidRequest(GanymedeError):
    """Raised by specs, choosing and routes. Change the field that `param` names."""

    code = "invalid_request"


class MalformedRequest(InvalidRequest):
    """Raised where a body cannot be parsed. Send what the OpenAPI document describes."""

    code = "malformed_request"


class Unauthenticated(GanymedeError):
    """Raised by the service where a key is needed and none came that holds. Which of these it is, is not said."""

    code = "unauthenticated"


class Forbidden(GanymedeError):
    """Raised by the service for a key without the scope that a call needs, and for calls that a page of another site
    makes."""

    code = "forbidden"


class QuotaExceeded(GanymedeError):
    """Raised where a key has used up what it may have; the message names the quota. `retry_after` is in seconds."""

    code = "quota_exceeded"

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotFound(GanymedeError):
    """Raised by the ledger for unknown or deleted ids and names."""

    code = "not_found"


class Conflict(GanymedeError):
    """Raised by the ledger for wrong states, taken names and things in use."""

    code = "conflict"


class NotAcceptable(GanymedeError):
    """Raised by negotiation; the message lists what can be served."""

    code = "not_acceptable"


class UnsupportedMedia(GanymedeError):
    """Raised by routes that take uploads; the message lists what is read."""

    code = "unsupported_media"


class LimitExceeded(GanymedeError):
    """Raised by routes and readers; the message names the limit and its setting."""

    code = "limit_exceeded"


class Unavailable(GanymedeError):
    """Raised where the database is away, the server drains or its queue is full. `retry_after` is in seconds.

    `reason` is for whoever runs the server: it is part of the text, which logs and commands show, and not of `message`,
    which callers are told. A driver's words name hosts, users and files.
    """

    code = "unavailable"

    def __init__(self, message: str, *, retry_after: int = 2, reason: str = "") -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.reason = reason

    def __str__(self) -> str:
        """The message, and the reason where there is one."""
        return f"{self.message}: {self.reason}" if self.reason else self.message


class ChecksumMismatch(GanymedeError):
    """Raised by storage when bytes do not have the sha256 that the ledger recorded."""

    code = "checksum_mismatch"


class LedgerMismatch(GanymedeError):
    """Raised at start when the database's schema version is not this program's."""

    code = "ledger_mismatch"


class LostClaim(GanymedeError):
    """Raised by the ledger to a worker whose epoch is no longer the job's. Stop; write nothing more."""

    code = "lost_claim"


class JobFailure(GanymedeError):
    """A typed end of one job. Raised in the child, carried to the ledger as `{code, message, param}`."""


class OutOfMemory(JobFailure):
    """The device or the machine has too little memory."""

    code = "out_of_memory"


class Diverged(JobFailure):
    """A loss or weight became NaN or infinite."""

    code = "diverged"


class WorkerLost(JobFailure):
    """The child died without a word."""

    code = "worker_lost"


class DatasetMissing(JobFailure):
    """The prepared data is gone from storage."""

    code = "dataset_missing"


class DatasetUnusable(JobFailure):
    """An upload or folder holds nothing that can be trained on."""

    code = "dataset_unusable"


class CheckpointCorrupt(JobFailure):
    """A checkpoint's bytes or header are not those that were written."""

    code = "checkpoint_corrupt"


class StorageFull(JobFailure):
    """No space left on the device that holds the storage."""

    code = "storage_full"


class ExtractorUnusable(JobFailure):
    """The file of GANYMEDE_INCEPTION_WEIGHTS cannot be read, or is no Inception's."""

    code = "extractor_unusable"


class InternalFailure(JobFailure):
    """An unexpected exception in a job."""

    code = "internal"


def failure_codes() -> dict[str, type[JobFailure]]:
    """Failure code → class, for every leaf below JobFailure."""
    return {leaf.code: leaf for leaf in JobFailure.__subclasses__()}
