"""History: what each message says against those that its vehicle sent before, and how plausible that is."""
