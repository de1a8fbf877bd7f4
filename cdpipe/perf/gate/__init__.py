"""The gate: two commits measured side by side, and a verdict for each benchmark that a pull request can rest on."""
