"""Move the hash rings of a Grafana Mimir or Cortex cluster between memberlist and DynamoDB."""

__version__ = "0.2.0"
