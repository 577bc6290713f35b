"""Speed beside peers: the same work in the same run, each peer in an environment of its own."""
