"""Choices that are made of more than the planner."""
