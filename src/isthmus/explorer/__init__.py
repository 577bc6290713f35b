"""The explorer: a page that shows a model's codes, decodes what is pointed at, and encodes what is drawn."""
