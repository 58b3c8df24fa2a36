"""Programs that run until their user stops them."""
