"""Terraform folders: which tables and roles they make, judged as AWS would judge them."""
