"""The proof of the gate: equal commits and planted slowdowns of real work, decided by it and by `asv continuous`."""
