"""From pictures to crops in the face frame, and the cache that keeps them."""
