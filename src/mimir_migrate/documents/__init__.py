"""Text in, text out: values files, configuration checks, Terraform, diffs. No file is opened here."""
