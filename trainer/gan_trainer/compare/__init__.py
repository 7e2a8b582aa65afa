"""Recipes beside each other under one budget: "Are GANs created equal?" (Lucic et al. 2018) as a command.

Every run is what a person would type: gan-train, gan-export and gan-eval, as processes of their own.
"""
