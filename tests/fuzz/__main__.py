"""`python -m tests.fuzz`: see `docs/torture.md`."""

from .run import main

if __name__ == "__main__":
    main()
