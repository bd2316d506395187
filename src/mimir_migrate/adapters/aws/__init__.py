"""DynamoDB and IAM."""
