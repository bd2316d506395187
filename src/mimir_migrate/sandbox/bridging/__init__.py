"""The ring bridge in a sandbox: real processes of `bridge serve` as pods, and how simulated pods reach them."""
