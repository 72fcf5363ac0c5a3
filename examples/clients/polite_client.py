"""A client that keeps to rate limits: it waits as long as a refusal says, and slows down before there is one.

Copy this file and rate_limit_fields.py; they need Python 3.9 or newer and nothing else.

    client = PoliteClient()
    response = client.request("GET", "https://api.example.com/search")
    print(response.status, response.body)
"""

from __future__ import annotations

import http.client
import random
import threading
import time
import urllib.error
import urllib.request
from email.message import Message
from typing import NamedTuple

from rate_limit_fields import retry_after_seconds, standings_of

# RFC 9110, 9.2.2: sending these twice does what sending them once does.
IDEMPOTENT = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"}


class Response(NamedTuple):
    status: int
    headers: Message
    body: bytes


class PoliteClient:
    """Answers the last response, or raises what the last attempt raised (an OSError or http.client.HTTPException).

    - 429 and 503 with Retry-After: sent again after that time.
    - 503 without, and failures of the network: sent again after a random, growing time. Never a POST or PATCH, unless
      told by `retry_unsafe` or an Idempotency-Key: it may have been processed. A 429 was not, so that any method is sent
      again.
    - 429 without Retry-After: no wait helps, so it is answered at once.

    Any number of threads may share a client. All times are in seconds.
    """

    def __init__(
        self,
        max_attempts: int = 5,  # requests that one call may send
        max_total: float = 60,  # how long one call may go on sending and waiting
        max_wait: float = 30,  # the longest single wait; told to wait longer, a call gives up at once
        backoff: float = 0.5,  # the longest first wait where nobody says how long; it doubles each time
        retry_unsafe: bool = False,  # whether a POST or PATCH is sent again though it may have been processed
        slow_below: float = 0.2,  # the share of a limit below which requests are spread over time; 0: never
        max_slow: float = 5,  # the longest wait for the sake of spreading
    ) -> None:
        self.max_attempts = max_attempts
        self.max_total = max_total
        self.max_wait = max_wait
        self.backoff = backoff
        self.retry_unsafe = retry_unsafe
        self.max_slow = max_slow
        self._paces = _Paces(slow_below)

    def request(self, method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Response:
        end = time.monotonic() + self.max_total
        request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
        may_repeat = self.retry_unsafe or method in IDEMPOTENT or request.has_header("Idempotency-key")
        time.sleep(min(self._paces.wait(url), self.max_slow, self.max_total))
        attempt = 0
        while True:
            attempt += 1
            growing = random.uniform(0, min(self.max_wait, self.backoff * 2 ** (attempt - 1)))
            try:
                response = _send(request, end)
                wait = _wait_after(response, may_repeat, growing)
                # After a refusal its Retry-After decides alone.
                if wait is None:
                    self._paces.learn(url, response.headers)
                if wait is None or wait > self.max_wait or not self._has_room(attempt, wait, end):
                    return response
            except (OSError, http.client.HTTPException):
                wait = growing
                if not may_repeat or not self._has_room(attempt, wait, end):
                    raise
            time.sleep(wait)

    def _has_room(self, attempt: int, wait: float, end: float) -> bool:
        return attempt < self.max_attempts and time.monotonic() + wait < end


def _wait_after(response: Response, may_repeat: bool, growing: float) -> float | None:
    """How long to wait before the same request is sent again; None where that is of no use."""
    if response.status != 429 and not (response.status == 503 and may_repeat):
        return None
    told = retry_after_seconds(response.headers)
    if told is not None:
        # Never sooner than told, and not all at the same moment.
        return told + random.uniform(0, min(1, told / 10))
    return growing if response.status == 503 else None


def _send(request: urllib.request.Request, end: float) -> Response:
    # The time for one step of the connection: connecting, or the next bytes. A server that trickles takes longer.
    timeout = max(0.001, end - time.monotonic())
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return Response(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:  # what urllib makes of every status from 400 on
        with error:
            return Response(error.code, error.headers, error.read())


class _Paces:
    """Spreads the requests to a URL, its query aside, once little is left of a limit there."""

    def __init__(self, slow_below: float) -> None:
        self._slow_below = slow_below
        self._lock = threading.Lock()
        self._paces: dict[str, tuple[float, float, float]] = {}  # the next place, the time between two, the end

    def wait(self, url: str) -> float:
        """How long the next request is to wait, which takes the next place in the line."""
        now = time.monotonic()
        with self._lock:
            next_place, spacing, end = self._paces.get(_key(url), (0.0, 0.0, 0.0))
            if now >= end:
                return 0
            place = max(now, next_place)
            self._paces[_key(url)] = (place + spacing, spacing, end)
        return place - now

    def learn(self, url: str, headers: Message) -> None:
        low = [
            (remaining, reset)
            for remaining, quota, reset in standings_of(headers)
            if (remaining == 0 if quota is None else remaining < quota * self._slow_below)
        ]
        now = time.monotonic()
        with self._lock:
            next_place, _, _ = self._paces.pop(_key(url), (0.0, 0.0, 0.0))
            if not low:
                return
            # What is left, spread over the time until there is more.
            spacing = max(reset / (remaining + 1) for remaining, reset in low)
            end = now + max(reset for _, reset in low)
            self._paces[_key(url)] = (max(next_place, now + spacing), spacing, end)
            # The oldest goes, so that many URLs do not fill the memory.
            if len(self._paces) > 1000:
                del self._paces[next(iter(self._paces))]


def _key(url: str) -> str:
    return url.split("?", 1)[0].split("#", 1)[0]
