"""The sandbox's DynamoDB and IAM, by moto."""
