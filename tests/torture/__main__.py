"""`python -m tests.torture`: see `docs/torture.md`."""

from .run import main

if __name__ == "__main__":
    main()
