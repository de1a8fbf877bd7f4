"""`python -m tests.ground_truth`: see `docs/ground-truth.md`."""

from .run import main

if __name__ == "__main__":
    main()
