"""The only code that touches the world: Kubernetes, pods, DynamoDB, IAM, helm, files, the journal."""
