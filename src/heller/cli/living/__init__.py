"""Two systems alive on one machine: the legacy application, heller's side of it, and customers who use both."""
