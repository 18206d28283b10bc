"""bounds.shared.command_line."""
