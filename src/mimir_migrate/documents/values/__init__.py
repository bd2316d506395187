"""Values files: what shape they have, where a ring's settings stand, and their exact edits."""
