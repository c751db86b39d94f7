"""The words of Gradewire: pure data and decisions, no input or output."""
