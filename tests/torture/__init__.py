"""Torture: runs that are killed, robbed of workers, given flipped bits and full disks; see `docs/torture.md`."""
