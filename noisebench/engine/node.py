"""How a node of Ray is set up for the trials that run on it."""

# What trials hand over through Ray's store is small.
OBJECT_STORE_BYTES = 100 * 1024**2

# The environment variables by which a cluster's node speaks to its trials.

# Names the heartbeat that vouches for the trials of this node.
WORKER_VARIABLE = "NOISEBENCH_WORKER"
# The folder of the data, where it is not the driver's.
DATA_VARIABLE = "NOISEBENCH_NODE_DATA"
# When the node goes, in seconds since 1970; absent: it stays.
ENDS_AT_VARIABLE = "NOISEBENCH_ENDS_AT"
