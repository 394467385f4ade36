"""What number formats do to a model's loss: a Llama in numpy, and methods that fit its weights to formats."""
