"""The outside world through its real wire formats. One implementation each; errors come out as the house's."""
