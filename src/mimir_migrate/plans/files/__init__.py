"""What a plan's steps do to files, and what a deploy makes of them."""
