"""What `edit` asks of its flags and files before it writes."""
