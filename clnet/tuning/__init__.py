"""Finds the best candidate and values for each workload on a device, and remembers them."""
