"""Care of what is stored: the database rebuilt from files, and space freed."""
