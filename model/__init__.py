"""The network: a GPT-2-style language model. Imports nothing of the other packages."""
