"""The measurement of a device: the fastest modes of its models, and how many trials should share it."""
