"""The screen of an inspection."""
