"""The language that Terraform's files are written in, read and evaluated as Terraform does."""
