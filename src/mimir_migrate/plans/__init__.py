"""From facts to a plan, and a plan as JSON, Markdown and shell."""
