"""Statistics of the decision: pairs of processes, looks at them, and what they prove."""
