"""The simulated products' KV stores: gossip, DynamoDB, and multi over both."""
