"""What is out there: the endpoints, whether they live, how busy they say they are."""
