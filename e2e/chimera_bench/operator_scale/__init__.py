"""What an operator costs that looks after very many pools."""
