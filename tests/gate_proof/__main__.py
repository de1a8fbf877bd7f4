"""`python -m tests.gate_proof`: see `docs/gate.md`."""

from .run import main

if __name__ == "__main__":
    main()
