"""Quotas of requests and images a second: a bucket of tokens for each key, in this process.

Several services behind one proxy each have buckets of their own, so that a key has as much at each. `RateLimit` and
`RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers) tell a caller where it stands: of each policy its quota `q` in
a window of `w` seconds, what remains `r`, and in how many seconds `t` it will be whole again.
"""

from collections.abc import Callable
from math import ceil, floor
from time import monotonic
from typing import Final

from gan.errors import QuotaExceeded
from ledger.records import Key

REQUESTS: Final = "requests"
IMAGES: Final = "images"
SETTINGS: Final = {REQUESTS: "requests_per_second", IMAGES: "images_per_second"}
"""Policy → the key's column."""

Clock = Callable[[], float]
Raw = tuple[bytes, bytes]


class Bucket:
    """Holds `capacity` tokens at most (a second's worth, at least one), and `rate` more come every second.

    What costs more than the bucket holds is let through when it is full, and leaves a debt.
    """

    def __init__(self, rate: float, capacity: float | None = None, clock: Clock = monotonic) -> None:
        self.rate = rate
        self.capacity = max(1.0, rate) if capacity is None else float(capacity)
        self._clock = clock
        self._level = self.capacity
        self._at = clock()

    def level(self) -> float:
        """Tokens that there are; below zero is a debt."""
        now = self._clock()
        self._level = min(self.capacity, self._level + (now - self._at) * self.rate)
        self._at = now
        return self._level

    def wait(self, cost: float) -> float:
        """Seconds until so much may be taken; 0 if now."""
        return max(0.0, min(cost, self.capacity) - self.level()) / self.rate

    def take(self, cost: float) -> float:
        """Take so much if that may be, and say 0; else the seconds to wait."""
        seconds = self.wait(cost)
        if seconds == 0:
            self._level -= cost
        return seconds

    def full(self) -> bool:
        """Whether nothing was taken of late."""
        return self.level() >= self.capacity

    def policy(self, name: str) -> str:
        """Its item of `RateLimit-Policy`."""
        window = ceil(self.capacity / self.rate)
        return f'"{name}";q={floor(self.capacity)};w={window}'

    def state(self, name: str) -> str:
        """Its item of `RateLimit`."""
        level = self.level()
        return f'"{name}";r={max(0, floor(level))};t={ceil((self.capacity - level) / self.rate)}'


class Quotas:
    """The buckets of all keys that were seen. Belongs to the event loop."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, dict[str, Bucket]] = {}

    def admit(self, key: Key) -> None:
        """Take one request. Raises QuotaExceeded."""
        if key.id not in self._buckets:
            rates = {name: getattr(key, column) for name, column in SETTINGS.items()}
            self._buckets[key.id] = {
                name: Bucket(rate, clock=self._clock) for name, rate in rates.items() if rate is not None
            }
        self._take(key.id, REQUESTS, 1)

    def charge(self, key_id: str | None, images: int) -> None:
        """Take as many images; nothing where no key acts. Raises QuotaExceeded."""
        if key_id is not None:
            self._take(key_id, IMAGES, images)

    def _take(self, key_id: str, name: str, cost: int) -> None:
        bucket = self._buckets.get(key_id, {}).get(name)
        seconds = bucket.take(cost) if bucket else 0.0
        if bucket and seconds > 0:
            said = f"this key may have {bucket.rate:g} {name} a second ({SETTINGS[name]})"
            raise QuotaExceeded(f"{said}: try again in {ceil(seconds)} s", retry_after=ceil(seconds))

    def headers(self, key_id: str) -> list[Raw]:
        """What an answer to the key says of its quotas; nothing where it has none."""
        buckets = self._buckets.get(key_id)
        if not buckets:
            return []
        policies = ", ".join(bucket.policy(name) for name, bucket in buckets.items())
        states = ", ".join(bucket.state(name) for name, bucket in buckets.items())
        return [(b"ratelimit-policy", policies.encode()), (b"ratelimit", states.encode())]
