"""Proposes a study for a script, from its command and its text. Runs nothing, and asks nothing."""
