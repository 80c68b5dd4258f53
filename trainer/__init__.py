"""Trains one recipe and writes one result. Knows no database, no study and no other run."""
