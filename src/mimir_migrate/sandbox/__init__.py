"""A cluster on loopback that the tool reaches only the way it reaches a real one."""
