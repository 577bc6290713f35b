"""Peers: each module holds a class ``Peer`` that `benchmarks.speed.measure` trains in the peer's own environment."""
