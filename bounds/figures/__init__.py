"""Pictures of bounds: over k, the discount or an error, and how loose they are."""
