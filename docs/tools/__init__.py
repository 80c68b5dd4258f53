"""Writes the parts of docs/ that come from the code: options, fields, tables, columns.

`python -m docs.tools` writes them. `tests/test_site.py` fails if a page is not what it would write.
"""
