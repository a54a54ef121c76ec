"""What engines say of their load: under which names, how much of it is believed, how often they are asked."""
