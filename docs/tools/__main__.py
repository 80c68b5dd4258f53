"""Write the generated parts of all pages."""

from __future__ import annotations

from docs.tools.parts import PAGES, written


def main() -> None:
    """Rewrite the pages whose generated parts differ from the code, and say which."""
    for page in PAGES:
        before = page.read_text()
        after = written(before)
        if after != before:
            page.write_text(after)
            print(f"{page.name} written")


if __name__ == "__main__":
    main()
