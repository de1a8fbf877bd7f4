"""Sweeps: attack x parameters x seeds x splits x classifiers, each cell once, whatever interrupts it."""
