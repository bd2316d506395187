"""The guided tour of a demo: what there is to see, and which key is next."""
