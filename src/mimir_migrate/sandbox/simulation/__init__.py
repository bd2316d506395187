"""What simulated Mimir and Cortex processes do, and the watch over what they see of each other."""
