"""What a response says about limits: Retry-After, X-RateLimit-*, and RateLimit with RateLimit-Policy of
draft-ietf-httpapi-ratelimit-headers-11. What is malformed is ignored, field by field.
"""

from __future__ import annotations

import re
import time
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import NamedTuple


class Standing(NamedTuple):
    """What is left of one limit."""

    remaining: int  # units left
    quota: int | None  # units of the whole limit; None: not told
    reset_seconds: float  # until the limit is as new


def retry_after_seconds(headers: Message) -> float | None:
    """How long a refusal tells to wait: seconds or an HTTP-date (RFC 9110, 10.2.3). None where it tells nothing."""
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]+", value):
        return float(value)
    due = _http_date(value)
    if due is None:
        return None
    # By the server's own clock where it shows it: this machine's may be wrong.
    now = _http_date(headers.get("Date", ""))
    return max(0.0, due - (time.time() if now is None else now))


def _http_date(text: str) -> float | None:
    """Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`, or of one of the two older forms."""
    if not re.match(r"[A-Z][a-z]+,? .*[0-9]{2}:[0-9]{2}:[0-9]{2}", text):
        return None
    try:
        return parsedate_to_datetime(text if text.endswith(" GMT") else f"{text} GMT").timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def standings_of(headers: Message) -> list[Standing]:
    """The limits that a response tells of, by whichever headers it has."""
    return _draft_standings(headers) or _customary_standings(headers)


def _draft_standings(headers: Message) -> list[Standing]:
    policies = dict(_quota_list(headers.get_all("RateLimit-Policy"), "q", "w"))
    standings = []
    for name, limit in _quota_list(headers.get_all("RateLimit"), "r", "t"):
        policy = policies.get(name, {})
        # Bytes and connections are not spared by sending requests later.
        if policy.get("qu", "requests") == "requests" and "t" in limit:
            standings.append(Standing(limit["r"], policy.get("q"), float(limit["t"])))
    return standings


def _customary_standings(headers: Message) -> list[Standing]:
    def number(name: str) -> int | None:
        value = headers.get(f"X-RateLimit-{name}", "").strip()
        return int(value) if re.fullmatch(r"[0-9]{1,15}", value) else None

    remaining, quota, reset = number("Remaining"), number("Limit"), number("Reset")
    if remaining is None or reset is None:
        return []
    # Seconds from now; some servers send the time itself, in seconds since 1970.
    seconds = float(reset) if reset < 1e9 else max(0.0, reset - time.time())
    return [Standing(remaining, quota, seconds)]


def _quota_list(lines: list[str] | None, required: str, optional: str) -> list[tuple[str, dict]]:
    """The members of a field that lists limits by name. None where the field is malformed: not a list of Strings, or a
    member without its required number, or a number that is none.
    """
    members = parse_string_list(", ".join(lines or [])) or []

    def is_count(value: object) -> bool:
        return type(value) is int and value >= 0

    def is_sound(parameters: dict) -> bool:
        return is_count(parameters.get(required)) and (optional not in parameters or is_count(parameters[optional]))

    return members if all(is_sound(parameters) for _, parameters in members) else []


# RFC 9651, section 3.3: what an item or a parameter may be. Decimals go before integers, since they begin like one.
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_DECIMAL = re.compile(r"-?[0-9]{1,12}\.[0-9]{1,3}")
_INTEGER = re.compile(r"-?[0-9]{1,15}(?![0-9.])")
_OTHERS = re.compile(
    r"[A-Za-z*][A-Za-z0-9_!#$%&'*+.^`|~:/-]*"  # token
    r"|:[A-Za-z0-9+/=]*:"  # bytes
    r"|\?[01]"  # boolean
    r"|@-?[0-9]{1,15}(?![0-9.])"  # date
    r'|%"(?:[ !#-$&-~]|%[0-9a-f]{2})*"'  # display string
)
_KEY = re.compile(r"; *([a-z*][a-z0-9_.*-]*)(=?)")


def parse_string_list(field: str) -> list[tuple[str, dict]] | None:
    """A structured field that lists Strings with parameters, such as `"a";q=20;w=1, "b";q=5000`; None where it is none.

    Strings and numbers of parameters are unpacked, others kept as they are written.
    """
    at = len(field) - len(field.lstrip(" "))
    members: list[tuple[str, dict]] = []
    while at < len(field):
        name = _STRING.match(field, at)
        if name is None:
            return None
        at = name.end()
        parameters: dict = {}
        while at < len(field) and field[at] == ";":
            key = _KEY.match(field, at)
            if key is None:
                return None
            at = key.end()
            value: object = True
            if key[2]:
                found = _item(field, at)
                if found is None:
                    return None
                value, at = found
            parameters[key[1]] = value
        members.append((_unescaped(name[1]), parameters))
        comma = re.compile(r"[ \t]*(,?)[ \t]*").match(field, at)
        at = comma.end()
        # A comma promises another member, and nothing else may stand between two.
        if bool(comma[1]) != (at < len(field)):
            return None
    return members


def _item(field: str, at: int) -> tuple[object, int] | None:
    if found := _STRING.match(field, at):
        return _unescaped(found[1]), found.end()
    if found := _DECIMAL.match(field, at):
        return float(found[0]), found.end()
    if found := _INTEGER.match(field, at):
        return int(found[0]), found.end()
    if found := _OTHERS.match(field, at):
        return found[0], found.end()
    return None


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
