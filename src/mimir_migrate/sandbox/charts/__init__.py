"""What the sandbox's deploy renders: the products' charts, as far as a migration sees them."""
