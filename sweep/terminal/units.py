"""Durations and sizes in words."""

from __future__ import annotations

from rich.filesize import decimal

ROUNDED = ((60, 5), (600, 10), (3600, 60), (86_400, 600), (float("inf"), 3600))
"""Estimates below so many seconds are rounded to so many seconds."""


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
