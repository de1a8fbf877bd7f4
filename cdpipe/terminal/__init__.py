"""Terminal: tables, progress, errors and reports as a person reads them."""
