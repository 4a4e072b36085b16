"""The methods under study, as functions from arrays to arrays."""
