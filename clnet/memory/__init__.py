"""Where every tensor lives: placements, lifetimes and the arena, as pure data."""
