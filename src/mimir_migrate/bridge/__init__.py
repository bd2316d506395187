"""The ring bridge: the part of Consul's KV API that Mimir's client uses, with the rings in DynamoDB.

Optional (the extra `bridge`), a process of its own, and experimental. It imports ring items and errors
of the rest, and nothing of the rest imports it.

`ring_value` takes a ring's value apart, `head` is the one item that says what a version is, `table`
the few questions that DynamoDB is asked, `replica` the rules of one ring, `rings` all of them,
`probe` what proves a replica to the others, `service` the HTTP side, `serving` the process. What the rules are: docs/bridge.md.
"""
