"""How long tests wait for what must happen: so long that no busy machine misses it."""

PATIENCE = 900.0
"""Seconds until a test gives up. A promise that something ends "at once" or "within a second" is
checked by what would happen otherwise, never by a tight deadline."""
