"""The words: frozen structs and enums that every other package speaks in."""
