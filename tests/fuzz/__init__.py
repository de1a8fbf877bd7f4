"""Fuzzing: every reader is given what coverage of our Python shows to be new; see `docs/torture.md`."""
