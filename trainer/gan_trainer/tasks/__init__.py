"""What a trained network is for: how it is drawn from, previewed and measured."""
