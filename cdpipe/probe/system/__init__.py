"""System: the kernel's counters, memory of process trees, and why threads wait. Linux alone."""
