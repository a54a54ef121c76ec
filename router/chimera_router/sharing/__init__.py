"""What the pickers of one pool tell each other of their workflows, through a server that they all reach."""
