"""Exports of other tools: each is recognised by its columns and told apart by a module of its own."""
