"""What a person sees: model in, text out."""
