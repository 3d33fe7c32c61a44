"""The model card of a user's model, in the format of the Hugging Face Hub."""
