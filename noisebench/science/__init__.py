"""Arrays in, arrays out: the methods under study."""
