"""Durations and sizes in words."""

from __future__ import annotations

import math
import time

from rich.filesize import decimal

ROUNDED = ((60, 5), (600, 10), (3600, 60), (86_400, 600), (float("inf"), 3600))
"""Estimates below so many seconds are rounded to so many seconds."""
LARGE, VERY_LARGE = 1_000, 100_000
"""Means from which on one decimal is shown, or none."""


def duration(seconds: float) -> str:
    """Format a duration: `48 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`."""
    seconds = round(seconds)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if minutes < 1:
        return f"{seconds} s"
    if hours < 1:
        return f"{minutes} min {seconds % 60:02} s"
    if days < 1:
        return f"{hours} h {minutes % 60:02} min"
    return f"{days} d {hours % 24} h"


def rough_duration(seconds: float) -> str:
    """Format an estimate, with two digits or so: `20 s`, `3 min 10 s`, `25 min`, `2 h 10 min`."""
    step = next(step for limit, step in ROUNDED if seconds < limit)
    return duration(max(step, round(seconds / step) * step)).replace(" min 00 s", " min")


def shown_size(size: float) -> str:
    """Format a number of bytes: `1.2 GB`."""
    return decimal(int(size))


def time_of_day(unix: float, now: float | None = None) -> str:
    """Format a local time: `14:32`, `tomorrow 03:20`, `Thu 03:20`, or with the date beyond a week."""
    at, today = time.localtime(unix), time.localtime(now)
    days = round((_noon(at) - _noon(today)) / 86_400)
    clock = time.strftime("%H:%M", at)
    if not days:
        return clock
    if days == 1:
        return f"tomorrow {clock}"
    return f"{time.strftime('%a' if 0 < days < 7 else '%Y-%m-%d', at)} {clock}"


def local_time(unix: float | None) -> str:
    """Format a local time with its zone: `2026-03-01 14:32:05 +01:00`; empty for None."""
    if unix is None:
        return ""
    at = time.localtime(unix)
    zone = time.strftime("%z", at)
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', at)} {zone[:3]}:{zone[3:]}"


def local_minute(unix: float | None) -> str:
    """Format a local time for a page: `2026-03-01 14:32 CET`; empty for None."""
    return "" if unix is None else time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(unix))


def shown_decimals(mean: float | None) -> int:
    """Decimals of means and effects: fewer for a metric with large numbers, such as a speed."""
    size = abs(mean or 0.0)
    return 4 if size < LARGE else 1 if size < VERY_LARGE else 0


def supported_decimals(low: float | None, high: float | None, most: int) -> int:
    """Decimals of an effect and its interval: as many as the interval supports, at most `most`.

    Half the width of the interval keeps two significant digits. Neither end is rounded to zero,
    which would hide its sign. `most` without a finite interval.
    """
    if low is None or high is None or not math.isfinite(high - low) or high <= low:
        return most
    decimals = 1 - math.floor(math.log10((high - low) / 2))
    decimals = min(most, max(0, decimals))
    while decimals < most and any(end and not round(end, decimals) for end in (low, high)):
        decimals += 1
    return decimals


def two_digits(value: float) -> str:
    """Format a standard deviation over seeds, or what follows from one: `0.0096`, `0.31`, `12`.

    That of seven seeds is known to two thirds and to double of its value: a third digit is chance.
    """
    if not value or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.{max(0, 1 - math.floor(math.log10(abs(value))))}f}"


def _noon(at: time.struct_time) -> float:
    return time.mktime((at.tm_year, at.tm_mon, at.tm_mday, 12, 0, 0, 0, 0, -1))
